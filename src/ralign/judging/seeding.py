"""One seed a call, so that a rerun asks for the same draw again and every draw asks for another."""

from hashlib import blake2b


def call_seed(*key: str | int) -> int:
    """Derive a seed in [0, 2**31) from what names a call: the run's seed, the pair, the order, ..."""
    digest = blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1  # 31 bits: what every engine takes

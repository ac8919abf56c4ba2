"""`--limit`: which rows a run takes when it does not take all of them.

The first rows of a file are no sample: files are sorted by subset or by source. Drawn by a hash of the names instead,
from each benchmark in proportion; whatever a limit takes, a higher one takes too, so a run can be carried on.
"""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b

Key = tuple[str, str]
"""Benchmark and id."""


def sample(keys: Iterable[Key], limit: int) -> set[Key]:
    """The keys that a limit takes; all of them where there are no more."""
    by_benchmark: defaultdict[str, list[tuple[bytes, Key]]] = defaultdict(list)
    for key in keys:
        name = "\0".join(key).encode("utf-8", "surrogatepass")
        by_benchmark[key[0]].append((blake2b(name, digest_size=16).digest(), key))
    # A benchmark's k-th of n stands at (k - 1/2) / n of the way. Quotas that are rounded for each limit anew would be
    # as proportional, but a higher limit can take one from a benchmark (the Alabama paradox).
    places: list[tuple[float, bytes, Key]] = []
    for hashed in by_benchmark.values():
        hashed.sort()
        places += (((at + 0.5) / len(hashed), name, key) for at, (name, key) in enumerate(hashed))
    places.sort()
    return {key for _, _, key in places[:limit]}

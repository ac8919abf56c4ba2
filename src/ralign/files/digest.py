"""One short name for the content of a set of pairs: a run is resumed only with the pairs it began with."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from ralign.errors import InputError
from ralign.records import PreferencePair


class PairsDigest:
    """The digest of the pairs added so far, in their order: all that a judge or a meta-judge reads of them."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=8)

    def add(self, pair: PreferencePair, also: Sequence[str] = ()) -> None:
        """Add a pair: benchmark, id, conversation, answers, label, gold rationale, and whatever else matters."""
        turns = [(message.role, message.content) for message in pair.conversation]
        # As JSON, which no two different pairs share.
        texts = (pair.response_a, pair.response_b, pair.label, pair.gold_rationale)
        self._digest.update(orjson.dumps((pair.benchmark, pair.id, turns, *texts, *also)))

    def hexdigest(self) -> str:
        """16 hexadecimal digits."""
        return self._digest.hexdigest()


def prompt_number(pair: PreferencePair) -> int:
    """A number in [0, 2**53) of the pair's benchmark and conversation: pairs of one prompt have the same.

    Below 2**53, so that it survives a reader of JSON that keeps every number as a double.
    """
    turns = [(message.role, message.content) for message in pair.conversation]
    digest = hashlib.blake2b(orjson.dumps((pair.benchmark, *turns)), digest_size=7).digest()
    return int.from_bytes(digest, "big") >> 3


def digest_of_file(path: Path) -> str:
    """16 hexadecimal digits of a file's bytes.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=8)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()

"""`config.toml` of a run directory: what was asked for, and the part of it that makes two runs the same run.

Of the pairs that part is a digest: a run is resumed only with the pairs it began with.
"""

import hashlib
import platform
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

import orjson
import tomli_w

from ralign import __version__
from ralign.errors import ConfigMismatch, InputError
from ralign.files.log import write_atomically
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


CONFIG = "config.toml"
_FINGERPRINT = "fingerprint"


def check_fingerprint(
    directory: Path, config: Mapping[str, object], fingerprint: Mapping[str, object], *, logs: Sequence[str]
) -> None:
    """Write the configuration, or check that the directory belongs to the same run. The caller holds its lock.

    Args:
        directory: the run directory.
        config: written as it is, without its Nones; must hold no secret.
        fingerprint: what makes this run the same run.
        logs: names of logs that a run of this kind keeps there; one without a configuration is not taken over.

    Raises:
        ConfigMismatch: naming the field that differs, what is recorded and what was asked for.
        InputError: a configuration that cannot be read, or a log without one.
    """
    path = directory / CONFIG
    # As text, None as the empty one (TOML has no null): a value compares alike before and after the file.
    wanted = {name: "" if value is None else str(value) for name, value in fingerprint.items()}
    if path.exists():
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: is not TOML ({error}); choose another --out") from None
        table: object = document.get(_FINGERPRINT)
        if not isinstance(table, dict):
            raise InputError(f"{path}: has no [{_FINGERPRINT}] table; choose another --out")
        recorded = {str(name): str(value) for name, value in cast("dict[object, object]", table).items()}
        # Names of either side: a field that a newer ralign added counts as none in a run that lacks it.
        for name in sorted({*recorded, *wanted}):
            was, asked = recorded.get(name, ""), wanted.get(name, "")
            if was != asked:
                raise ConfigMismatch(
                    f"{path}: {name} is {was or 'none'} in this run, and {asked or 'none'} was asked for; "
                    "choose another --out"
                )
    elif left := [log for log in logs if (directory / log).exists()]:
        raise InputError(f"{directory}: holds {left[0]} but no config.toml; choose another --out")
    document = {**_without_none(config), _FINGERPRINT: wanted}
    write_atomically(path, tomli_w.dumps(document).encode())


def versions(*packages: str) -> dict[str, str]:
    """The versions of ralign, of Python and of whichever of these packages is installed, for config.toml."""
    found = {"ralign": __version__, "python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _without_none(value: Mapping[str, object]) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for name, item in value.items():
        if item is None:
            continue
        # tomli_w takes dicts, lists and scalars alone.
        if isinstance(item, Mapping):
            cleaned[name] = _without_none(cast("Mapping[str, object]", item))
        elif isinstance(item, Path):
            cleaned[name] = str(item)
        elif isinstance(item, tuple):
            items = cast("tuple[object, ...]", item)
            cleaned[name] = [str(each) if isinstance(each, Path) else each for each in items]
        else:
            cleaned[name] = item
    return cleaned

"""One run on disk: config.toml, judgments.jsonl, meta_judgments.jsonl, scores.jsonl, results.json.

Appended to line by line as answers arrive, so that a killed run loses only what was in flight. The same command
again finishes what is missing; another configuration, or a second process, is refused.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import tomli_w

from ralign.benchmark.tally import Tally
from ralign.errors import ConfigMismatch, InputError
from ralign.files import (
    AppendLog,
    DirectoryLock,
    decode_judgment,
    decode_meta_judgment,
    encode_judgment,
    encode_meta_judgment,
    read_line_at,
    read_log,
    write_atomically,
)
from ralign.records import Judgment, MetaJudgment

JUDGMENTS = "judgments.jsonl"
META_JUDGMENTS = "meta_judgments.jsonl"
_IDENTITY = "identity"


class RunDirectory:
    """A run directory that this process holds the lock of. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: DirectoryLock | None = None
        self._judgments: AppendLog | None = None
        self._meta_judgments: AppendLog | None = None
        self._offsets: dict[tuple[int, int, int], int] = {}

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            RunLocked: another process writes here.
        """
        self._lock = DirectoryLock(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the logs and give the lock back."""
        for log in (self._judgments, self._meta_judgments):
            if log is not None:
                log.close()
        if self._lock is not None:
            self._lock.release()

    def claim(self, config: Mapping[str, object], identity: Mapping[str, object]) -> None:
        """Write the configuration, or check that this directory belongs to the same one.

        Raises:
            ConfigMismatch: naming the field that differs, what is recorded and what was asked for.
        """
        path = self.path / "config.toml"
        wanted = {name: _as_text(value) for name, value in identity.items()}
        if path.exists():
            recorded = _read_identity(path)
            for name in sorted({*recorded, *wanted}):
                was, asked = recorded.get(name, ""), wanted.get(name, "")
                if was != asked:
                    raise ConfigMismatch(
                        f"{path}: {name} is {was or 'none'} in this run, and {asked or 'none'} was asked for; "
                        "choose another --out"
                    )
        elif (self.path / JUDGMENTS).exists():
            raise InputError(f"{self.path}: holds judgments.jsonl but no config.toml; choose another --out")
        document = {**_without_none(config), _IDENTITY: wanted}
        write_atomically(path, tomli_w.dumps(document).encode())

    def take_up(self, tally: Tally) -> None:
        """Open the logs and count what earlier sessions recorded.

        Raises:
            BadRow: a line other than the last of a log cannot be read.
        """
        self._judgments = AppendLog(self.path / JUDGMENTS)
        self._meta_judgments = AppendLog(self.path / META_JUDGMENTS)
        self._offsets = count_recorded(self.path, tally)

    def recorded_judgment(self, row: int, order: int, draw: int) -> Judgment:
        """A judgment of an earlier session, read back from its line."""
        path = self.path / JUDGMENTS
        with path.open("rb") as file:
            data = read_line_at(file, self._offsets[row, order, draw])
        return decode_judgment(data, str(path), 0)

    def record_judgment(self, judgment: Judgment) -> None:
        """Append a judgment; it is on disk, whole, when this returns."""
        assert self._judgments is not None, "take_up() opens the logs"
        self._judgments.append(encode_judgment(judgment))

    def record_meta_judgment(self, meta: MetaJudgment) -> None:
        """Append a meta-judgment; it is on disk, whole, when this returns."""
        assert self._meta_judgments is not None, "take_up() opens the logs"
        self._meta_judgments.append(encode_meta_judgment(meta))


def count_recorded(path: Path, tally: Tally) -> dict[tuple[int, int, int], int]:
    """Count what a run directory has recorded; a torn last line is owed again.

    Returns:
        Where in `judgments.jsonl` each judgment that still owes a meta-judgment starts, by (row, order, draw).

    Raises:
        BadRow: a line cannot be read.
    """
    offsets: dict[tuple[int, int, int], int] = {}
    judgments, meta_judgments = path / JUDGMENTS, path / META_JUDGMENTS
    for line in read_log(judgments, skip_torn=True):
        at = tally.add_judgment(decode_judgment(line.data, str(judgments), line.number))
        if tally.owed_votes(*at):
            offsets[at] = line.offset
    for line in read_log(meta_judgments, skip_torn=True):
        at = tally.add_meta_judgment(decode_meta_judgment(line.data, str(meta_judgments), line.number))
        if not tally.owed_votes(*at):
            offsets.pop(at, None)
    tally.call_failures = 0
    return offsets


def _read_identity(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not TOML ({error}); choose another --out") from None
    recorded: object = document.get(_IDENTITY)
    if not isinstance(recorded, dict):
        raise InputError(f"{path}: has no [{_IDENTITY}] table; choose another --out")
    return {str(name): str(value) for name, value in cast("dict[object, object]", recorded).items()}


def _as_text(value: object) -> str:
    """TOML has no null; an absent value is the empty text, and every other value its Python spelling."""
    return "" if value is None else str(value)


def _without_none(value: Mapping[str, object]) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for name, item in value.items():
        if item is None:
            continue
        if isinstance(item, Mapping):
            cleaned[name] = _without_none(cast("Mapping[str, object]", item))
        elif isinstance(item, Path):
            cleaned[name] = str(item)
        elif isinstance(item, tuple):
            cleaned[name] = list(cast("tuple[object, ...]", item))
        else:
            cleaned[name] = item
    return cleaned

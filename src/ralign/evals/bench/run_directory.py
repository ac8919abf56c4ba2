"""One run on disk: config.toml, judgments.jsonl, meta_judgments.jsonl, scores.jsonl, results.json.

Appended to line by line as answers arrive, so that a killed run loses only what was in flight. The same command
again finishes what is missing; another configuration, or a second process, is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ralign.evals.bench.tally import Tally
from ralign.files import (
    AppendLog,
    DirectoryLock,
    check_fingerprint,
    decode_judgment,
    decode_meta_judgment,
    encode_judgment,
    encode_meta_judgment,
    read_line_at,
    read_log,
)
from ralign.records import Judgment, MetaJudgment

JUDGMENTS = "judgments.jsonl"
META_JUDGMENTS = "meta_judgments.jsonl"


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
        """Write the configuration, or check that this directory belongs to the same one; see `check_fingerprint`.

        Raises:
            ConfigMismatch: naming the field that differs, what is recorded and what was asked for.
        """
        check_fingerprint(self.path, config, identity, log=JUDGMENTS)

    def resume(self, tally: Tally) -> None:
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
        assert self._judgments is not None, "resume() opens the logs"
        self._judgments.append(encode_judgment(judgment))

    def record_meta_judgment(self, meta: MetaJudgment) -> None:
        """Append a meta-judgment; it is on disk, whole, when this returns."""
        assert self._meta_judgments is not None, "resume() opens the logs"
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

"""An append-only log of judgments, one for each pair and draw, found again by the pair's row.

Comes in: the log of earlier sessions, and judgments as they are answered. Goes out: what is recorded of a pair. In
memory there are eight bytes for each pair and draw; the texts stay on disk.
"""

from array import array
from collections.abc import Mapping
from pathlib import Path

from ralign.errors import InputError
from ralign.files import AppendLog, decode_judgment, encode_judgment, read_line_at, read_log
from ralign.records import Judgment, Usage


class JudgmentLog:
    """One log. Reading needs nothing; writing needs the lock of its directory, `open()`, and `close()`."""

    def __init__(self, path: Path, rows: Mapping[tuple[str, str], int], *, draws_limit: int) -> None:
        """Find what is recorded; a torn last line and calls that failed are not.

        Args:
            path: the log; it may be missing.
            rows: (benchmark, id) -> row of every pair of the run.
            draws_limit: later draws, recorded under a higher limit, are left alone.

        Raises:
            BadRow: a line other than the last cannot be read.
            InputError: a line is about a pair that the run does not have.
        """
        self.path = path
        self.usage = Usage()
        """Tokens of every recorded call, whichever session paid them."""
        self.call_failures = 0
        """Calls of this session that failed for good."""
        self._draws = draws_limit
        self._offsets = array("q", [-1]) * (len(rows) * draws_limit)
        self._log: AppendLog | None = None
        for line in read_log(path, skip_torn=True):
            judgment = decode_judgment(line.data, str(path), line.number)
            key = judgment.benchmark, judgment.pair_id
            if key not in rows:
                named = f"pair {judgment.pair_id!r} of {judgment.benchmark!r}"
                raise InputError(f"{path}:{line.number}: {named} is not in the pairs files")
            self._note(rows[key], judgment, line.offset)

    def open(self) -> None:
        """Open the log for appending.

        Raises:
            WriteFailed: the file cannot be opened for writing.
        """
        self._log = AppendLog(self.path)

    def close(self) -> None:
        """Sync the log to disk and close it."""
        if self._log is not None:
            self._log.close()

    def append(self, row: int, judgment: Judgment) -> None:
        """Append a judgment; it is on disk, whole, when this returns."""
        assert self._log is not None, "open() comes first"
        offset = self._log.append(encode_judgment(judgment))
        self.call_failures += judgment.failure == "call"
        self._note(row, judgment, offset)

    def recorded(self, row: int) -> dict[int, Judgment]:
        """What is recorded of a pair, by draw in ascending order."""
        start = row * self._draws
        found = [
            (draw, offset)
            for draw, offset in enumerate(self._offsets[start : start + self._draws])
            if offset >= 0
        ]
        if not found:
            return {}
        with self.path.open("rb") as file:
            return {
                draw: decode_judgment(read_line_at(file, offset), str(self.path), 0) for draw, offset in found
            }

    def _note(self, row: int, judgment: Judgment, offset: int) -> None:
        if judgment.usage is not None:
            self.usage = Usage(
                prompt_tokens=self.usage.prompt_tokens + judgment.usage.prompt_tokens,
                completion_tokens=self.usage.completion_tokens + judgment.usage.completion_tokens,
            )
        # A call that failed answered nothing: it is owed again.
        if judgment.failure != "call" and judgment.draw < self._draws:
            self._offsets[row * self._draws + judgment.draw] = offset

"""One append-only file of records, each found again by its slot: the memory of a run.

A plan numbers every call it could ever make; the number is the call's slot. In memory there are eight bytes a slot,
the texts stay on disk, so a run of 100,000 pairs fits in a few megabytes.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, Self

from ralign.errors import InputError
from ralign.files.log import AppendLog, read_line_at, read_log
from ralign.files.pair_rows import RowLocation
from ralign.files.records import Record, decode, encode
from ralign.records import Failure, Usage


class Log(Generic[Record]):
    """A log of one kind of record. Reading needs nothing; appending needs the lock of its directory.

    Args:
        path: the file; it may be missing.
        kind: the record's class.
        slot_of: numbers a record from 0, None where this run has no use for it (a draw above today's limit).
            Raises `InputError` for a record of something that the run does not have.
        size: how many slots there are.
        note: told of every record, failed calls included, at loading and as it comes: for what a plan keeps in memory.
    """

    def __init__(
        self,
        path: Path,
        kind: type[Record],
        slot_of: Callable[[Record], int | None],
        size: int,
        *,
        note: Callable[[int, Record], None] = lambda slot, record: None,
    ) -> None:
        self.path = path
        self.answered = 0
        """Slots that hold an answer."""
        self.calls = 0
        """Calls of this session that came to an end."""
        self.failures: Counter[str] = Counter()
        """Records of this session without a result, by the kind of failure."""
        self.batch_usage = Usage()
        """Tokens of the recorded calls that batches carried, which cost less; part of `usage`."""
        self._prompt_tokens = self._completion_tokens = self._cached_tokens = 0
        self._kind = kind
        self._slot_of = slot_of
        self._note = note
        # Where each slot's line starts; -1: no answer. A dict of tuples took 220 bytes a call, this takes 8.
        self._offsets = array("q", [-1]) * size
        # The last record appended: the loop asks for it again at once, and a line need not be read back for that.
        self._last: tuple[int | None, Record] | None = None
        self._log: AppendLog | None = None
        self._reader: BinaryIO | None = None

    def load(self, *, ask_again: Failure | None = None) -> None:
        """Find what is recorded; a torn last line and calls that failed are owed again.

        Args:
            ask_again: a failure whose records are owed again, too.

        Raises:
            BadRow: a line other than the last cannot be read.
            InputError: a line is about something that the run does not have; names file:line.
        """
        # The last line of a slot counts: a call that failed first and was answered later has two.
        for line in read_log(self.path, skip_partial=True):
            location = RowLocation(str(self.path), line.number)
            record = decode(self._kind, line.data, location)
            try:
                slot = self._slot_of(record)
            except InputError as error:
                raise location.bad(str(error)) from None
            self._count(
                slot if ask_again is None or record.failure != ask_again else None, record, line.offset
            )

    def __enter__(self) -> Self:
        """Open the file for appending, its torn last line cut off.

        Raises:
            WriteFailed: the file cannot be opened for writing.
        """
        self._log = AppendLog(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Sync the file to disk and close it."""
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def append(self, record: Record) -> None:
        """Append a record; it is on disk, whole, when this returns.

        Raises:
            WriteFailed: the disk is full or refuses.
        """
        assert self._log is not None, "a log is open only as a context manager"
        # On disk before it counts anywhere: a kill in between repeats nothing and loses nothing.
        offset = self._log.append(encode(record))
        self.calls += 1
        if record.failure is not None:
            self.failures[record.failure] += 1
        slot = self._slot_of(record)
        self._last = None if record.failure == "call" else (slot, record)
        self._count(slot, record, offset)

    @property
    def usage(self) -> Usage:
        """Tokens of every recorded call, whichever session paid them."""
        return Usage(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            cached_tokens=self._cached_tokens,
        )

    def __contains__(self, slot: int) -> bool:
        return self._offsets[slot] >= 0

    def missing(self, start: int, stop: int) -> list[int]:
        """The slots from `start` to before `stop` that have no answer yet."""
        offsets = self._offsets
        return [slot for slot in range(start, stop) if offsets[slot] < 0]

    def get(self, slot: int) -> Record | None:
        """The record of a slot, read back from its line; None where there is no answer yet."""
        offset = self._offsets[slot]
        if offset < 0:
            return None
        if self._last is not None and self._last[0] == slot:
            return self._last[1]
        location = RowLocation(str(self.path), 0)
        # A dry run reads outside the context, where nobody would close a reader that stays open.
        if self._log is None:
            with self.path.open("rb") as file:
                return decode(self._kind, read_line_at(file, offset), location)
        if self._reader is None:
            self._reader = self.path.open("rb")
        return decode(self._kind, read_line_at(self._reader, offset), location)

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every recorded answer with its slot, in the order of the slots."""
        for slot in range(len(self._offsets)):
            record = self.get(slot)
            if record is not None:
                yield slot, record

    def _count(self, slot: int | None, record: Record, offset: int) -> None:
        # Also of failed and repeated calls, and of draws above today's limit: somebody paid for them.
        if record.usage is not None:
            self._prompt_tokens += record.usage.prompt_tokens
            self._completion_tokens += record.usage.completion_tokens
            self._cached_tokens += record.usage.cached_tokens
            if record.batch is not None:
                self.batch_usage += record.usage
        if slot is None:
            return
        # A call that never came back is owed again; one that came back unreadable is not.
        if record.failure != "call":
            self.answered += self._offsets[slot] < 0
            self._offsets[slot] = offset
        self._note(slot, record)

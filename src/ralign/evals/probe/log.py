"""The two logs of a probe's run directory: what was judged, and what was read.

Held in memory whole: a probe is of hundreds or thousands of judgments, and a donor may be any of them.
"""

from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ralign.errors import InputError
from ralign.evals.probe.interventions import Version
from ralign.evals.probe.verdict_probabilities import Reading, decode_reading, encode_reading
from ralign.files import AppendLog, decode_judgment, encode_judgment, read_log
from ralign.records import Judgment, Order

JUDGMENTS = "judgments.jsonl"
READINGS = "readings.jsonl"


class Case(NamedTuple):
    """A pair in the order in which it is shown."""

    benchmark: str
    pair_id: str
    order: Order


class ProbeLog:
    """Both logs; a context manager around appending, for whoever holds the directory's lock."""

    def __init__(self, directory: Path, cases: Collection[Case]) -> None:
        """Find what is recorded; torn last lines and calls that failed are not.

        Raises:
            BadRow: a line cannot be read.
            InputError: a line is about a pair or an order that the run does not have.
        """
        self._paths = directory / JUDGMENTS, directory / READINGS
        self._logs: tuple[AppendLog, ...] = ()
        self.judgments: dict[Case, Judgment] = {}
        self.readings: dict[tuple[Case, Version], Reading] = {}
        self.failed_calls = 0
        """Of this session."""
        judged, read = self._paths
        for line in read_log(judged, skip_torn=True):
            self._note(decode_judgment(line.data, str(judged), line.number), judged, line.number, cases)
        for line in read_log(read, skip_torn=True):
            self._note(decode_reading(line.data, str(read), line.number), read, line.number, cases)
        self.failed_calls = 0

    def __enter__(self) -> Self:
        """Open both logs.

        Raises:
            WriteFailed: one cannot be opened for writing.
        """
        self._logs = tuple(AppendLog(path) for path in self._paths)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for log in self._logs:
            log.close()

    def append(self, record: Judgment | Reading) -> None:
        """Append a record; it is on disk, whole, when this returns."""
        judged, read = self._logs
        if isinstance(record, Judgment):
            judged.append(encode_judgment(record))
        else:
            read.append(encode_reading(record))
        self._note(record)

    def _note(
        self,
        record: Judgment | Reading,
        path: Path | None = None,
        line: int = 0,
        cases: Collection[Case] | None = None,
    ) -> None:
        case = Case(record.benchmark, record.pair_id, record.order)
        if cases is not None and case not in cases:
            named = f"pair {record.pair_id!r} of {record.benchmark!r} in order {record.order}"
            raise InputError(f"{path}:{line}: {named} is not in this run")
        if record.failure == "call":
            self.failed_calls += 1
        elif isinstance(record, Judgment):
            self.judgments[case] = record
        else:
            self.readings[case, record.version] = record

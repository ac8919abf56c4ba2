"""Judgments that were recorded elsewhere, as a judge: a file of rows in, the judgment of each pair out.

A row is what a run directory's `judgments.jsonl` holds; `pair_id` and either `verdict` or `text` are enough.
Where a row has a `verdict` it is taken, otherwise the text is parsed as a judge's answer would be. Memory
holds where each row lies, not what it says.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from ralign.errors import InputError
from ralign.files import LogLine, RowLocation, decode_row, read_line_at, read_log
from ralign.judging.judge import in_pair_letters
from ralign.judging.parse import parse_verdict
from ralign.records import Judgment, Order, PreferencePair
from ralign.thinking import split_thinking

NOT_RECORDED = "not recorded"
"""The detail of a judgment that the file does not have."""

Key = TypeVar("Key")


class JudgmentKey(NamedTuple):
    """The key of a recorded judgment. The benchmark is empty where the row names none."""

    benchmark: str
    pair_id: str
    order: Order
    draw: int


class LineIndex(Generic[Key]):
    """Where in a file each row lies. Of rows with the same key the last one counts, as in our own logs."""

    def __init__(self, path: Path, key_of: Callable[[LogLine], Key]) -> None:
        """Read the file once; `key_of` decodes a line and raises `BadRow` where it cannot be used.

        Raises:
            InputError: the file is missing or cannot be read.
            BadRow: a row cannot be used.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        self._path = path
        self._locations = {key_of(line): (line.offset, line.number) for line in read_log(path)}

    def find(self, *keys: Key) -> LogLine | None:
        """Read the row of the first of these keys that the file has."""
        location = next((self._locations[key] for key in keys if key in self._locations), None)
        if location is None:
            return None
        with self._path.open("rb") as file:
            return LogLine(*location, read_line_at(file, location[0]))


class RecordedJudge:
    """A file of judgments."""

    def __init__(self, path: Path) -> None:
        """Find every row of the file.

        Raises:
            InputError: the file is missing or cannot be read.
            BadRow: a row cannot be used.
        """
        self._path = str(path)
        self._index = LineIndex(path, self._key)

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Look the judgment up; one that the file does not have is a failed call.

        A row that names the pair's benchmark is preferred to one that names none.
        """
        key = JudgmentKey(pair.benchmark, pair.id, order, draw)
        line = self._index.find(key, key._replace(benchmark=""))
        if line is None:
            return Judgment(
                pair_id=pair.id,
                benchmark=pair.benchmark,
                order=order,
                draw=draw,
                failure="call",
                detail=NOT_RECORDED,
            )
        judgment, has_verdict = decode_row(Judgment, line.data, RowLocation(self._path, line.number))
        judgment = replace(judgment, benchmark=pair.benchmark)
        return judgment if has_verdict else _parsed(judgment)

    def _key(self, line: LogLine) -> JudgmentKey:
        judgment, _ = decode_row(Judgment, line.data, RowLocation(self._path, line.number))
        return JudgmentKey(judgment.benchmark, judgment.pair_id, judgment.order, judgment.draw)


def _parsed(judgment: Judgment) -> Judgment:
    """Read the verdict from the text; the text's letters are those of the order shown."""
    thinking, answer = split_thinking(judgment.text)
    rationale, verdict, problem = parse_verdict(answer, judgment.finish_reason)
    return replace(
        judgment,
        text=answer,
        thinking=judgment.thinking if thinking is None else thinking,
        rationale=rationale,
        verdict=in_pair_letters(verdict, judgment.order) if verdict else None,
        failure="parse" if problem else None,
        detail=problem,
    )

"""Meta-judgments that were recorded elsewhere, as a meta-judge: a file of rows in, their outcomes out.

A row is what a run directory's `meta_judgments.jsonl` holds; `pair_id` and either `aligned` or `text` are
enough. Where a row has `aligned` it is taken, otherwise the text is parsed as a meta-judge's answer would be.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ralign.files import LogLine, RowLocation, decode_row
from ralign.judging import NOT_RECORDED, LineIndex
from ralign.metajudging.parse import parse_meta_judgment
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.thinking import split_thinking


class MetaJudgmentKey(NamedTuple):
    """The key of a recorded meta-judgment. The benchmark is empty where the row names none."""

    benchmark: str
    pair_id: str
    order: Order
    draw: int
    vote: int


class RecordedMetaJudge:
    """A file of meta-judgments."""

    def __init__(self, path: Path) -> None:
        """Find every row of the file.

        Raises:
            InputError: the file is missing or cannot be read.
            BadRow: a row cannot be used.
        """
        self._path = str(path)
        self._index = LineIndex(path, self._key)

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """Look the meta-judgment up; one that the file does not have is a failed call.

        A row that names the pair's benchmark is preferred to one that names none.
        """
        key = MetaJudgmentKey(pair.benchmark, pair.id, judgment.order, judgment.draw, vote)
        line = self._index.find(key, key._replace(benchmark=""))
        if line is None:
            return MetaJudgment(
                pair_id=pair.id,
                benchmark=pair.benchmark,
                order=judgment.order,
                draw=judgment.draw,
                vote=vote,
                failure="call",
                detail=NOT_RECORDED,
            )
        meta_judgment, has_aligned = decode_row(MetaJudgment, line.data, RowLocation(self._path, line.number))
        meta_judgment = replace(meta_judgment, benchmark=pair.benchmark)
        return meta_judgment if has_aligned else _parsed(meta_judgment)

    def _key(self, line: LogLine) -> MetaJudgmentKey:
        row, _ = decode_row(MetaJudgment, line.data, RowLocation(self._path, line.number))
        return MetaJudgmentKey(row.benchmark, row.pair_id, row.order, row.draw, row.vote)


def _parsed(meta_judgment: MetaJudgment) -> MetaJudgment:
    """Read the outcome from the text."""
    thinking, answer = split_thinking(meta_judgment.text)
    aligned, points, problem = parse_meta_judgment(answer, meta_judgment.finish_reason)
    return replace(
        meta_judgment,
        text=answer,
        thinking=meta_judgment.thinking if thinking is None else thinking,
        aligned=aligned,
        points=points,
        failure="parse" if problem else None,
        detail=problem,
    )

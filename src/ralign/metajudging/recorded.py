"""Meta-judgments that were recorded elsewhere, as a meta-judge: a file of rows in, their outcomes out.

A row is what a run directory's `meta_judgments.jsonl` holds (docs/formats.md); `pair_id` and either `aligned` or
`text` are enough. Where a row has `aligned` it is taken, otherwise the text is parsed as a meta-judge's answer would
be.
"""

from pathlib import Path
from typing import Any

from ralign.errors import BadRow
from ralign.judging import RecordedAnswers, unread_reason
from ralign.metajudging.meta_judge import parse_meta_judgment
from ralign.records import Judgment, MetaJudgment, PreferencePair


class RecordedMetaJudge:
    """A file of meta-judgments; raises as `RecordedAnswers` does."""

    def __init__(self, path: Path, *, skip_bad_rows: list[BadRow] | None = None) -> None:
        key = ("pair_id", "order", "draw", "vote")
        self.answers = RecordedAnswers(path, MetaJudgment, key, _read, skip_bad_rows=skip_bad_rows)

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """The recorded meta-judgment; see `RecordedAnswers.find`."""
        return self.answers.find(pair.benchmark, pair.id, judgment.order, judgment.draw, vote)


def _read(meta_judgment: MetaJudgment) -> dict[str, Any]:
    aligned, points, problem = parse_meta_judgment(meta_judgment.text, meta_judgment.finish_reason)
    return {
        "aligned": aligned,
        "points": points,
        "failure": "parse" if problem else None,
        "failure_reason": unread_reason(meta_judgment.finish_reason) if problem else None,
        "detail": problem,
    }

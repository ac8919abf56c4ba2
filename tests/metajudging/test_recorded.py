import json
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest

from ralign.errors import BadRow, InputError
from ralign.metajudging import MetaJudge, RecordedMetaJudge
from ralign.records import GoldPoint, Judgment, MetaJudgment, PreferencePair

PAIR = PreferencePair(
    id="1", conversation=(), response_a="a", response_b="b", label="A", gold_judgment="A.", benchmark="mine"
)
JUDGMENT = Judgment(pair_id="1", benchmark="mine", order="ba", draw=1, rationale="B.", verdict="A")
KEY: dict[str, object] = {"pair_id": "1", "order": "ba", "draw": 1}


def recorded(path: Path, *rows: dict[str, object]) -> RecordedMetaJudge:
    (path / "meta.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return RecordedMetaJudge(path / "meta.jsonl")


async def test_a_recorded_outcome_is_taken_as_it_is(tmp_path: Path):
    meta_judge = recorded(tmp_path, {**KEY, "aligned": False, "text": "VERDICT: Correct"})
    result = await meta_judge.meta_judge(PAIR, JUDGMENT, 0)
    assert (result.aligned, result.benchmark, result.failure) == (False, "mine", None)


async def test_a_text_without_a_recorded_outcome_is_parsed(tmp_path: Path):
    text = "<think>VERDICT: Incorrect</think>POINT: it adds | STATED: yes\nVERDICT: Correct"
    meta_judge = recorded(tmp_path, {**KEY, "text": text}, {**KEY, "vote": 1, "text": "Perhaps."})
    result = await meta_judge.meta_judge(PAIR, JUDGMENT, 0)
    assert result.aligned is True
    assert result.points == (GoldPoint(text="it adds", stated=True),)
    assert result.thinking == "VERDICT: Incorrect"
    unread = await meta_judge.meta_judge(PAIR, JUDGMENT, 1)
    assert (unread.aligned, unread.failure) == (None, "parse")
    assert unread.detail == "no verdict at the end: 'Perhaps.'"


async def test_a_meta_judgment_that_is_not_there_is_a_failed_call(tmp_path: Path):
    meta_judge = recorded(tmp_path, {**KEY, "aligned": True})
    for judgment, vote in ((JUDGMENT, 1), (replace(JUDGMENT, order="ab"), 0), (replace(JUDGMENT, draw=0), 0)):
        assert await meta_judge.meta_judge(PAIR, judgment, vote) == MetaJudgment(
            pair_id="1",
            benchmark="mine",
            order=judgment.order,
            draw=judgment.draw,
            vote=vote,
            failure="call",
            detail="not recorded",
        )


async def test_the_last_row_counts_and_the_benchmarks_own_comes_first(tmp_path: Path):
    meta_judge = recorded(
        tmp_path,
        {**KEY, "benchmark": "mine", "aligned": None},
        {**KEY, "benchmark": "mine", "aligned": True},
        {**KEY, "aligned": False},
    )
    assert (await meta_judge.meta_judge(PAIR, JUDGMENT, 0)).aligned is True
    assert (await meta_judge.meta_judge(replace(PAIR, benchmark="x"), JUDGMENT, 0)).aligned is False


def test_bad_rows_and_missing_files_are_named(tmp_path: Path):
    with pytest.raises(BadRow, match=r"meta\.jsonl:1: "):
        recorded(tmp_path, {**KEY, "aligned": "yes"})
    with pytest.raises(InputError, match=r"none\.jsonl: no such file"):
        RecordedMetaJudge(tmp_path / "none.jsonl")


def test_recorded_meta_judgments_are_called_as_any_meta_judge():
    assert signature(RecordedMetaJudge.meta_judge) == signature(MetaJudge.meta_judge)

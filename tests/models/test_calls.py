"""A Python function as a judge and a meta-judge: what it gives is read as a model's reply, or is the record."""

import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ralign.files import write_pairs
from ralign.judging import ChatJudge, Prompt, judge_prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import Sampling
from ralign.models.python import PythonFunction
from ralign.records import GoldPoint, Judgment, Message, MetaJudgment, PreferencePair

PAIR = PreferencePair(
    id="p",
    benchmark="b",
    conversation=(Message(role="user", content="When?"),),
    response_a="At six.",
    response_b="At five.",
    label="A",
    gold_judgment="A names the hour.",
)
JUDGMENT = Judgment(pair_id="p", benchmark="b", order="ba", draw=1, rationale="The hour.", verdict="A")


def judge(body) -> ChatJudge:
    asked = PythonFunction("python:m:judge", body, concurrency=1, deadline=5)
    return ChatJudge(model=asked, prompt=judge_prompt(), sampling=Sampling())


def meta_judge(body) -> ChatMetaJudge:
    asked = PythonFunction("python:m:meta_judge", body, concurrency=1, deadline=5)
    return ChatMetaJudge(model=asked, prompt=Prompt.load(None, META_PROMPT), sampling=Sampling())


async def test_a_judges_text_is_in_the_letters_of_the_order_shown() -> None:
    def first(pair: PreferencePair, order: str) -> str:
        return f"Shown {order}, the first one. \\boxed{{A}}"

    said = await judge(first).judge(PAIR, "ba", 2)
    assert (said.verdict, said.rationale, said.draw) == ("B", "Shown ba, the first one.", 2)
    assert said.model == "python:m:judge"


async def test_a_judgment_keeps_what_it_says_and_gets_the_name_of_its_call() -> None:
    said = await judge(lambda pair: Judgment(pair_id="?", verdict="B", rationale="Five.")).judge(
        PAIR, "ba", 1
    )
    assert (said.pair_id, said.benchmark, said.order, said.draw) == ("p", "b", "ba", 1)
    assert (said.verdict, said.rationale, said.failure) == ("B", "Five.", None)


@pytest.mark.parametrize(("verdict", "detail"), [(None, "no verdict"), ("a", "no verdict, but 'a'")])
async def test_a_judgment_without_a_verdict_is_a_parse_failure(verdict, detail) -> None:
    said = await judge(lambda pair: Judgment(pair_id="p", verdict=verdict)).judge(PAIR, "ab", 0)
    assert (said.verdict, said.failure, said.detail) == (None, "parse", detail)


async def test_a_meta_judge_says_it_as_a_decision_a_text_or_a_record() -> None:
    async def states_the_hour(pair: PreferencePair, judgment: Judgment) -> bool:
        return "hour" in judgment.rationale

    def in_full(pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        points = (GoldPoint(text="the hour", stated=True),)
        return MetaJudgment(pair_id="?", aligned=vote == 1, points=points)

    said = await meta_judge(states_the_hour).meta_judge(PAIR, JUDGMENT, 0)
    assert said == MetaJudgment(pair_id="p", benchmark="b", order="ba", draw=1, aligned=True)
    said = await meta_judge(lambda pair: "VERDICT: Incorrect").meta_judge(PAIR, JUDGMENT, 0)
    assert (said.aligned, said.model) == (False, "python:m:meta_judge")
    said = await meta_judge(in_full).meta_judge(PAIR, JUDGMENT, 1)
    assert (said.aligned, said.pair_id, said.order, said.vote, len(said.points)) == (True, "p", "ba", 1, 1)


async def test_a_meta_judge_without_a_decision_and_one_that_raises_have_failed() -> None:
    said = await meta_judge(lambda pair: MetaJudgment(pair_id="p")).meta_judge(PAIR, JUDGMENT, 0)
    assert (said.aligned, said.failure) == (None, "parse")
    said = await meta_judge(lambda pair: 1 / 0).meta_judge(PAIR, JUDGMENT, 0)
    assert (said.failure, said.detail) == (
        "call",
        "python:m:meta_judge raised ZeroDivisionError: division by zero",
    )


async def test_a_rationale_that_says_nothing_is_misaligned_without_a_call() -> None:
    said = await meta_judge(lambda pair: True).meta_judge(PAIR, replace(JUDGMENT, rationale="..."), 0)
    assert said.aligned is False


RULES = """
def judge(pair, order):
    return "It names the hour. \\\\boxed{A}" if order == "ab" else "It names the hour. \\\\boxed{B}"

def meta_judge(pair, judgment):
    if pair.id == "trips":
        raise ValueError("no hour")
    return "hour" in judgment.rationale
"""


def test_bench_asks_python_functions_and_refuses_to_resume_with_other_code(
    ralign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "hour_rules.py").write_text(RULES)
    write_pairs(tmp_path / "pairs.jsonl", [PAIR, replace(PAIR, id="trips")])
    command = (
        "bench", "pairs.jsonl", "--judge", "python:hour_rules:judge", "--meta-judge",
        "python:hour_rules:meta_judge", "--out", "run",
    )  # fmt: skip
    assert "judge: 2 calls, about 0 tokens in and 0 out" in ralign(*command, "--dry-run", cwd=tmp_path).stdout
    ended = ralign(*command, cwd=tmp_path)
    # One row's rule raised: its failure is data, and owed again.
    assert ended.returncode == 1, ended.stderr
    figures = orjson.loads((tmp_path / "run/results.json").read_bytes())["benchmarks"]["pairs"]
    assert figures["label_accuracy"]["value"] == 1.0
    assert (figures["counts"]["aligned"], figures["counts"]["meta_failed"]) == (1, 1)
    assert "raised ValueError: no hour" in (tmp_path / "run/meta_judgments.jsonl").read_text()

    (tmp_path / "hour_rules.py").write_text(RULES.replace("hour", "hours"))
    del sys.modules["hour_rules"]
    ended = ralign(*command, cwd=tmp_path)
    assert ended.returncode == 2
    assert "judge_code is " in ended.stderr

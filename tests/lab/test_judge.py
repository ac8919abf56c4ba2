import asyncio

import pytest

from ralign.lab.judge import LabJudge
from ralign.lab.records import to_records
from ralign.lab.tokenizer import CRITIQUE, RATIONALE
from ralign.records import PreferencePair, opposite

EVEN = (0.5, 0.5, 0.5, 0.5)


async def judge_all(model, pairs, *, batch, order="ab", seed=0):
    async with LabJudge(model, name="small", seed=seed, batch=batch) as judge:
        return await asyncio.gather(*(judge.judge(pair, order, 0) for pair in pairs))


@pytest.fixture
def pairs(world, generator) -> list[PreferencePair]:
    return to_records(world.pairs(40, EVEN, generator), "train")


async def test_judgments_do_not_depend_on_what_else_is_judged(model, pairs):
    together = await judge_all(model, pairs, batch=64)
    assert together == await judge_all(model, pairs, batch=7)
    assert together != await judge_all(model, pairs, batch=64, seed=1)


async def test_the_text_is_a_sentence_and_the_rationale_is_it_without_the_verdict(model, pairs):
    for judgment in await judge_all(model, pairs, batch=64):
        words = CRITIQUE.read(judgment.text)
        assert words is not None
        assert judgment.rationale == RATIONALE.write(words[:-1])


async def test_a_judgment_that_does_not_end_in_a_verdict_is_a_parse_failure(model, pairs):
    judgments = await judge_all(model, pairs, batch=64)
    failed = [judgment for judgment in judgments if judgment.verdict is None]
    assert failed, "untrained, the model ends in any word"
    assert all(judgment.failure == "parse" and "not in a verdict" in judgment.detail for judgment in failed)


async def test_in_order_ba_the_verdict_is_mapped_back_to_the_letters_of_the_pair(model, world, generator):
    pairs = to_records(world.pairs(600, EVEN, generator), "train")
    judgments = await judge_all(model, pairs, batch=256, order="ba")
    ended = [judgment for judgment in judgments if judgment.verdict is not None]
    assert {judgment.verdict for judgment in ended} == {"A", "B"}
    for judgment in ended:
        letter_in_text = judgment.text.removesuffix("}")[-1]
        assert judgment.verdict == opposite(letter_in_text)

from pathlib import Path

import pytest

from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT
from ralign.models.price import Price
from ralign.records import Message, PreferencePair
from ralign.training.config import TrainConfig
from ralign.training.examples import Example, TrainingData
from ralign.training.expected import expect, expected_lines


def data(count: int) -> TrainingData:
    pair = PreferencePair(
        id="p",
        conversation=(Message(role="user", content="?"),),
        response_a="a",
        response_b="b",
        label="A",
        gold_judgment="g" * 40,
    )
    prompt = (Message(role="user", content="x" * 400),)
    example = Example(pair=pair, order="ab", prompt=prompt, target="t" * 80)
    return TrainingData(examples=(example,) * count, left_out=(), bad_rows=(), pairs=count, digest="")


def config(**given) -> TrainConfig:
    return TrainConfig(("pairs.jsonl",), model="start", out=Path("out"), **given)


def test_sft_takes_prompts_and_gold_judgments_at_four_characters_a_token() -> None:
    expected = expect(config(stage="sft", batch=10, epochs=2.0), data(50), None, None)
    assert (expected.steps, expected.prompts, expected.completions) == (10, 100, 0)
    assert expected.trained_tokens == 100 * (400 + 80) / 4
    assert expected.meta_judge is None


def test_rl_counts_a_call_for_every_completion_and_what_the_calls_cost() -> None:
    asked = config(stage="rl", meta_judge="m", batch=10, group_size=4, expected_completion_tokens=25)
    prompt = Prompt("{gold_rationale}|{rationale}", META_PROMPT)
    expected = expect(asked, data(50), prompt, Price(input=1.0, output=10.0))
    assert (expected.steps, expected.completions) == (5, 200)
    assert expected.written_tokens == 200 * 25
    assert expected.trained_tokens == 200 * (100 + 25)
    assert expected.meta_judge is not None
    assert expected.meta_judge.calls == 200
    assert expected.meta_judge.usage.prompt_tokens == 200 * (40 + 1 + 100) / 4
    assert expected.meta_judge.money == pytest.approx((7050 * 1 + 5000 * 10) / 1e6)
    first, second, _ = expected_lines(expected, asked)
    assert first.startswith("rl: 5 steps of 10 prompts and 4 judgments each: 200 completions")
    assert second.startswith("meta-judge: up to 200 calls")


def test_steps_beyond_one_pass_see_each_pair_more_often() -> None:
    once = expect(config(stage="rl", reward="outcome", batch=10, steps=5), data(50), None, None)
    twice = expect(config(stage="rl", reward="outcome", batch=10, steps=10), data(50), None, None)
    assert twice.trained_tokens == 2 * once.trained_tokens

"""Forecasts of `--dry-run`: the numbers behind the lines."""

from pathlib import Path

import pytest
from tests.training.configs import policy_config, train_config
from tests.training.gardens import write_prompts

from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT
from ralign.models.price import Price
from ralign.records import Message, PreferencePair
from ralign.training.examples import Example, TrainingData
from ralign.training.expected import expect
from ralign.training.tasks.judge import JudgeTask
from ralign.training.tasks.policy import PolicyTask


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


def test_sft_takes_prompts_and_gold_judgments_at_four_characters_a_token() -> None:
    training = train_config(stage="sft", batch=10, epochs=2.0).training
    expected = expect(training, "sft", data(50), completion_tokens=1)
    assert (expected.steps, expected.prompts, expected.completions) == (10, 100, 0)
    assert expected.trained_tokens == 100 * (400 + 80) / 4
    assert expected.asked == {}


def test_rl_counts_a_call_for_every_vote_on_every_completion_and_what_the_calls_cost() -> None:
    config = train_config(meta_judge="m", batch=10, group_size=4, expected_completion_tokens=25, meta_votes=3)
    prompt = Prompt("{gold_rationale}|{rationale}", META_PROMPT)
    expected = expect(config.training, "rl", data(50), completion_tokens=25)
    assert (expected.steps, expected.completions) == (5, 200)
    assert expected.written_tokens == 200 * 25
    assert expected.trained_tokens == 200 * (100 + 25)
    task = JudgeTask(config=config, data=data(50), digests={}, meta_prompt=prompt, files=())
    first, second, _ = task.forecast({"m": Price(input=1_000.0, output=10_000.0)})
    assert first.startswith("rl: 5 steps of 10 prompts and 4 completions each: 200 completions")
    # Three votes, of 40 + 1 + 100 characters in and 25 tokens out.
    assert second == "meta-judge: up to 600 calls, about 21,150 tokens in and 15,000 out, 171.15 in money"


def test_steps_beyond_one_pass_see_each_pair_more_often() -> None:
    once, twice = (
        expect(
            train_config(reward="outcome", batch=10, steps=steps).training,
            "rl",
            data(50),
            completion_tokens=9,
        )
        for steps in (5, 10)
    )
    assert twice.trained_tokens == pytest.approx(2 * once.trained_tokens, abs=2)


def test_a_policys_judges_are_counted_each_by_their_turns(tmp_path: Path) -> None:
    """Eight prompts with two answers each, in both orders: 32 calls a step; the second judge at 3 of 5."""
    prompts = write_prompts(tmp_path / "prompts.jsonl")
    config = policy_config(
        [str(prompts)], judge="j", second_judge="k", second_judge_every=2, batch=8, group_size=2, steps=5
    )
    _, judge, second, _ = PolicyTask.load(config).forecast({})
    assert judge.startswith("judge: up to 160 calls")
    assert second.startswith("second judge: up to 96 calls")

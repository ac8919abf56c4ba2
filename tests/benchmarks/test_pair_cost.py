"""What a pair costs: worked by hand, and held to the simulated step that it shares its figures with."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.pair_cost import STAGES, GoldWriting, pair_cost
from benchmarks.simulated_fleet import Fleet
from benchmarks.simulated_step import Lengths, TrainingStep, roll_out

from ralign.models.price import Price

STEP = TrainingStep(
    group_size=4,
    right_share=0.5,
    judge=Fleet(slots=10, seconds_per_step=0.01, seconds_per_call=0.001),
    judge_prompt_tokens=100,
    judgment=Lengths(median=50, sigma=0.0, limit=1_000),
    update_seconds_per_token=0.001,
    meta_judge=Fleet(slots=1, seconds_per_step=0.02, seconds_per_call=0.0, seconds_per_prompt_token=0.01),
    meta_prompt_tokens=200,
    meta_judgment=Lengths(median=30, sigma=0.0, limit=1_000),
    failure_rate=0.0,
)
GOLD = GoldWriting(drafts=2.0, prompt_tokens=110, draft_tokens=60)


def test_every_stage_is_counted_as_by_hand() -> None:
    costs = pair_cost(STEP, GOLD, trainer_gpus=2)
    assert tuple(costs) == STAGES
    assert costs["gold"] == (2.0, 220.0, 220.0, 120.0, None)
    # 4 completions; the prompt is read once. A full batch of 10 gives 500 tokens a second.
    assert costs["judge"] == pytest.approx((4.0, 400.0, 100.0, 200.0, 200 * 0.002))
    assert costs["update"].gpu_seconds == pytest.approx(2 * 0.001 * (400 + 200))
    # 2 calls of 200 + 50 tokens in; 200 once and 50 each are read anew.
    assert costs["meta_judge"] == pytest.approx((2.0, 500.0, 300.0, 60.0, 60 * 0.02 + 300 * 0.01))


def test_another_epoch_asks_everything_again_but_the_gold() -> None:
    once, twice = pair_cost(STEP, GOLD), pair_cost(STEP, GOLD, epochs=2.0)
    assert twice["gold"] == once["gold"]
    assert twice["meta_judge"].calls == 2 * once["meta_judge"].calls
    assert twice["update"].gpu_seconds == pytest.approx(2 * (once["update"].gpu_seconds or 0))


def test_failed_tries_are_paid_for() -> None:
    failing = pair_cost(replace(STEP, failure_rate=0.5), GOLD)
    assert failing["meta_judge"].calls == pytest.approx(2 * (2 - 0.5**5))


def test_money_is_tokens_times_their_price() -> None:
    assert pair_cost(STEP, GOLD)["gold"].money(Price(input=1.0, output=10.0)) == pytest.approx(
        (220 + 10 * 120) / 1e6
    )


@pytest.mark.parametrize("limit", [900, 8_192])
def test_the_mean_length_is_that_of_the_lengths_drawn(limit: int) -> None:
    lengths = Lengths(median=700, sigma=0.6, limit=limit)
    drawn = lengths.draw(200_000, np.random.default_rng(0))
    assert lengths.mean == pytest.approx(float(np.mean(drawn)), rel=0.01)


def test_a_steps_update_takes_what_its_pairs_updates_take() -> None:
    step = TrainingStep(completions=4_096)
    rollout = roll_out(step, np.random.default_rng(0))
    update = pair_cost(step, GOLD, trainer_gpus=1)["update"].gpu_seconds
    assert update is not None
    assert rollout.update_seconds == pytest.approx(update * 4_096 / step.group_size, rel=0.02)

"""A simulated training step: cases worked by hand, and what must hold whatever the figures."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.fleet_against_loop import Case, measured_seconds, predicted_seconds
from benchmarks.simulated_fleet import Fleet
from benchmarks.simulated_step import (
    Lengths,
    Rollout,
    TrainingStep,
    added_share,
    draw_samples,
    least_added_share,
    replicas_needed,
    reward_time,
    roll_out,
)


def same(tokens: float) -> Lengths:
    return Lengths(median=tokens, sigma=0.0, limit=100_000)


PLAIN = TrainingStep(
    completions=8,
    right_share=1.0,
    judge=Fleet(slots=8, seconds_per_step=0.01, seconds_per_call=0.0),
    judgment=same(1_000),
    update_seconds_per_token=1e-3,
    judge_prompt_tokens=250,
    meta_judge=Fleet(slots=2, seconds_per_step=0.1, seconds_per_call=0.0),
    meta_judgment=same(10),
    overhead_seconds=0.5,
    failure_rate=0.0,
)
"""Eight completions of 10 s; meta-judgments of 1 s, two at once."""


def rollout(ended: list[float], right: list[bool] | None = None) -> Rollout:
    size = len(ended)
    return Rollout(np.array(ended), np.full(size, 1_000.0), np.array(right or [True] * size), 10.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_step_is_its_slowest_completion_and_its_tokens_update() -> None:
    drawn = roll_out(PLAIN, rng())
    assert drawn.seconds == pytest.approx(10.0)
    assert drawn.update_seconds == pytest.approx(8 * 1_250 * 1e-3)
    assert drawn.step_seconds == pytest.approx(20.0)


def test_calls_at_the_end_queue_up_behind_the_rollout() -> None:
    """Eight calls, two at once, 1 s each, and half a second on the way."""
    reward = reward_time(PLAIN, rollout([3, 4, 5, 6, 7, 8, 9, 10]), streaming=False, rng=rng())
    assert reward.added_seconds == pytest.approx(4.5)
    assert reward.calls == 8


def test_calls_as_completions_end_leave_only_the_last_ones_own() -> None:
    reward = reward_time(PLAIN, rollout([3, 4, 5, 6, 7, 8, 9, 10]), streaming=True, rng=rng())
    assert reward.added_seconds == pytest.approx(1.5)
    assert reward.busy_share == pytest.approx(8 / 11.5)


def test_a_wrong_last_completion_hides_the_reward_entirely() -> None:
    reward = reward_time(PLAIN, rollout([3, 8, 10], [True, True, False]), streaming=True, rng=rng())
    assert reward.added_seconds == 0.0
    assert reward.calls == 2


def test_nothing_right_asks_nothing() -> None:
    reward = reward_time(PLAIN, rollout([3, 8], [False, False]), streaming=True, rng=rng())
    assert reward == (0.0, 0, 0, 0.0)


def test_the_deadline_ends_the_wait_and_leaves_the_rest_unscored() -> None:
    step = replace(PLAIN, deadline_seconds=2.0)
    reward = reward_time(step, rollout([10.0] * 8), streaming=False, rng=rng())
    assert reward.added_seconds == 2.0
    assert reward.unscored == 6  # two are there at 1.5 s, the next at 2.5 s


def test_a_completion_that_the_limit_cut_off_is_not_asked_about() -> None:
    step = replace(PLAIN, completions=2_000, judgment=Lengths(median=1_000, sigma=0.5, limit=1_000))
    drawn = roll_out(step, rng())
    assert drawn.tokens.max() == 1_000
    assert np.mean(drawn.right) == pytest.approx(0.5, abs=0.05)
    assert not drawn.right[drawn.tokens == 1_000].any()


def test_the_fewest_replicas_are_found_and_one_less_is_too_few() -> None:
    step = TrainingStep(completions=256, failure_rate=0.0)
    samples = draw_samples(step, range(2))
    needed = replicas_needed(step, samples, streaming=False, share=0.3)
    assert needed is not None
    assert needed > 1
    assert added_share(step.with_replicas(needed), samples, streaming=False) <= 0.3
    assert added_share(step.with_replicas(needed - 1), samples, streaming=False) > 0.3


def test_below_the_last_calls_own_time_no_number_is_enough() -> None:
    samples = draw_samples(PLAIN, range(1))
    least = least_added_share(PLAIN, samples, streaming=True)
    assert least == pytest.approx(1.5 / 20.0)
    assert replicas_needed(PLAIN, samples, streaming=True, share=least * 0.99) is None
    assert replicas_needed(PLAIN, samples, streaming=True, share=least * 1.01) == 4


@pytest.mark.parametrize("completions", [64, 512])
@pytest.mark.parametrize("replicas", [1, 4])
def test_streaming_is_never_later_than_calls_at_the_end(completions: int, replicas: int) -> None:
    step = TrainingStep(completions=completions, failure_rate=0.0).with_replicas(replicas)
    for drawn, seed in draw_samples(step, range(3)):
        late = [
            reward_time(step, drawn, streaming=streaming, rng=np.random.default_rng(seed)).added_seconds
            for streaming in (True, False)
        ]
        assert late[0] <= late[1] + 1e-9


def test_the_same_seed_is_the_same_step() -> None:
    step = TrainingStep(completions=64)
    assert added_share(step, draw_samples(step, [3]), streaming=True) == added_share(
        step, draw_samples(step, [3]), streaming=True
    )


@pytest.mark.parametrize(
    "case",
    [
        Case(name="at the end", completions=96, calls_at_once=12),
        Case(name="streaming", completions=96, calls_at_once=12, streaming=True),
    ],
    ids=lambda case: case.name,
)
async def test_the_real_reward_loop_takes_what_is_predicted(case: Case) -> None:
    """Against an endpoint on loopback. Never sooner: that is queueing; later by this machine's own work alone.

    The tolerance is for a busy machine; calls one after the other would take twelve times as long.
    """
    predicted, measured = predicted_seconds(case), await measured_seconds(case)
    assert predicted > 0.5
    assert 0.98 * predicted <= measured <= 1.5 * predicted + 0.5

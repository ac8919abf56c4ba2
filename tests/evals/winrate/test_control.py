"""The regression against data whose truth is known, and against an optimizer that knows nothing of Newton."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, xlogy

from ralign.evals.winrate.control import PRIOR_DEVIATION, controlled_win_rate, fit, win_rate


def made(
    theta: float, phi: float, prompts: int, seed: int, *, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes that follow the model exactly: each order's verdict is a draw of its own."""
    rng = np.random.default_rng(seed)
    features = np.tanh(rng.normal(shift, 1.0, size=(prompts, 1)))
    probability = expit(theta + phi * features[:, 0])
    return rng.binomial(2, probability) / 2, features


def test_the_win_rate_is_the_mean_and_its_interval_that_of_a_mean() -> None:
    """1,000 coin flips, 600 won: a deviation of sqrt(.24 / 1000) = .0155, 1.96 of them each way."""
    outcomes = np.repeat([1.0, 0.0], [600, 400])
    found = win_rate(outcomes)
    assert found is not None
    assert found.rate.value == pytest.approx(0.6)
    assert found.rate.low == pytest.approx(0.6 - 1.96 * 0.0155, abs=0.003)
    assert found.rate.high == pytest.approx(0.6 + 1.96 * 0.0155, abs=0.003)
    assert win_rate(np.array([])) is None


@pytest.mark.parametrize(("theta", "phi", "shift"), [(0.4, 1.5, 1.0), (-0.8, 2.0, -0.7), (0.0, 0.0, 1.0)])
def test_it_finds_what_equal_length_would_have_given(theta: float, phi: float, shift: float) -> None:
    outcomes, features = made(theta, phi, 40_000, seed=3, shift=shift)
    found = controlled_win_rate(outcomes, features)
    assert found is not None
    assert found.rate.value == pytest.approx(expit(theta), abs=0.01)
    assert found.effects[0] == pytest.approx(phi, abs=0.06)
    if phi:  # the raw win rate is not it: the longer side gained by its length
        assert abs(outcomes.mean() - expit(theta)) > 0.08


def test_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    """95 % of 200 runs is 190, with a deviation of 3.1; 180 is three of them below."""
    held = 0
    for seed in range(200):
        found = controlled_win_rate(*made(0.5, 1.0, 200, seed, shift=0.8))
        assert found is not None
        held += found.rate.low <= expit(0.5) <= found.rate.high
    assert held >= 180


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-3, 3),
    st.floats(-4, 4),
    st.integers(8, 60),
)
def test_newton_ends_where_a_general_optimizer_does(
    seed: int, theta: float, phi: float, prompts: int
) -> None:
    outcomes, features = made(theta, phi, prompts, seed)
    if outcomes.min() == outcomes.max():
        return  # theta is infinite; the test below has it

    def loss(at: np.ndarray) -> float:
        p = np.clip(expit(at[0] + features @ at[1:]), 1e-12, 1 - 1e-12)
        likelihood = (xlogy(outcomes, p) + xlogy(1 - outcomes, 1 - p)).sum()
        return -likelihood + (at[1:] ** 2).sum() / (2 * PRIOR_DEVIATION**2)

    best = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(fit(outcomes, features)[0], best.x, atol=2e-4)


@pytest.mark.parametrize("outcome", [0.0, 0.5, 1.0])
def test_where_all_prompts_end_alike_the_interval_is_the_raw_one(outcome: float) -> None:
    features = np.tanh(np.random.default_rng(0).normal(size=(50, 1)))
    found, raw = controlled_win_rate(np.full(50, outcome), features), win_rate(np.full(50, outcome))
    assert found is not None
    assert raw is not None
    assert found.rate == raw.rate
    assert found.rate.value == outcome
    assert found.rate.high - found.rate.low > 0.05


def test_below_thirty_prompts_there_is_no_controlled_figure() -> None:
    outcomes, features = made(0.3, 1.0, 30, seed=5)
    assert controlled_win_rate(outcomes, features) is not None
    assert controlled_win_rate(outcomes[:29], features[:29]) is None


def test_ties_make_the_interval_narrower_than_wins_and_losses_do() -> None:
    """Two orders that disagree on every other prompt are half as uncertain as a coin for each."""
    features = np.tanh(np.random.default_rng(0).normal(size=(200, 1)))
    even = controlled_win_rate(np.tile([1.0, 0.0], 100), features)
    tied = controlled_win_rate(np.tile([1.0, 0.5, 0.0, 0.5], 50), features)
    assert even is not None
    assert tied is not None
    assert tied.rate.high - tied.rate.low == pytest.approx(
        (even.rate.high - even.rate.low) / 2**0.5, rel=0.05
    )


def test_where_lengths_are_all_equal_the_controlled_win_rate_is_the_raw_one() -> None:
    outcomes = np.repeat([1.0, 0.5, 0.0], [30, 20, 50])
    found = controlled_win_rate(outcomes, np.zeros((100, 1)))
    raw = win_rate(outcomes)
    assert found is not None
    assert raw is not None
    assert found.rate == pytest.approx(raw.rate, abs=0.012)


def test_where_every_answer_is_longer_by_as_much_there_is_no_figure() -> None:
    assert controlled_win_rate(np.array([1.0, 0.0] * 20), np.full((40, 1), 0.7)) is None
    mixed = np.column_stack([np.full(40, 0.7), np.linspace(-1, 1, 40)])
    assert controlled_win_rate(np.array([1.0, 0.0] * 20), mixed) is None


def test_where_length_alone_tells_wins_from_losses_the_fit_stays_finite() -> None:
    features = np.linspace(-1, 1, 40)[:, None]
    found = controlled_win_rate((features[:, 0] > 0).astype(float), features)
    assert found is not None
    assert found.rate.value == pytest.approx(0.5, abs=0.01)
    assert 3 < found.effects[0] < 30


def test_missing_answers_are_lost_at_any_length() -> None:
    outcomes, features = made(0.0, 1.0, 400, seed=1)
    played = controlled_win_rate(outcomes, features)
    with_missing = controlled_win_rate(outcomes, features, missing_as_loss=400)
    assert played is not None
    assert with_missing is not None
    assert with_missing.rate.value == pytest.approx(played.rate.value / 2)
    assert with_missing.rate.high - with_missing.rate.low > 0


def test_swapping_the_sides_turns_the_win_rate_over() -> None:
    outcomes, features = made(0.6, 1.2, 500, seed=8)
    one, other = controlled_win_rate(outcomes, features), controlled_win_rate(1 - outcomes, -features)
    assert one is not None
    assert other is not None
    assert one.rate.value == pytest.approx(1 - other.rate.value)
    assert (one.rate.low, one.rate.high) == pytest.approx((1 - other.rate.high, 1 - other.rate.low))
    assert one.effects == pytest.approx(other.effects)

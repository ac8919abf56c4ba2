"""95 % intervals hold the truth about 95 times in 100: also at the ends, in few prompts, and in clustered ones."""

import numpy as np
import pytest
from benchmarks.interval_coverage import Design, Rates, coverage, ours, simulated

RUNS = 1_000


def covered(design: Design, judges: tuple[Rates, Rates], runs: int = RUNS) -> dict[str, float]:
    """Also that no interval is without width."""
    rng = np.random.default_rng(0)
    found = coverage([ours(design, simulated(design, judges, rng)) for _ in range(runs)], judges)
    assert min(each.narrowest for each in found.values()) > 0
    return {name: each.share for name, each in found.items()}


def test_a_few_simulated_runs_are_covered() -> None:
    """The quick form of the slow ones: 200 runs, three standard errors below .95."""
    judges = (Rates(0.8, 0.4), Rates(0.7, 0.3))
    found = covered(Design(100, pairs=3, correlation=0.5), judges, runs=200)
    assert min(found.values()) > 0.95 - 3 * (0.05 * 0.95 / 200) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.3, 0.6])
def test_rewardbench_2_like_runs_are_covered(correlation: float) -> None:
    judges = (Rates(0.8, 0.4), Rates(0.7, 0.3))
    found = covered(Design(166, pairs=3, correlation=correlation), judges)
    assert min(found.values()) >= 0.92, found


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.5, 0.99])
@pytest.mark.parametrize(
    "design",
    [
        *(Design(prompts) for prompts in (11, 30, 100)),
        *(Design(prompts, orders=2, draws=3, correlation=0.4) for prompts in (11, 30, 100)),
        Design(30, pairs=3, correlation=0.4),
    ],
)
def test_few_prompts_and_rates_at_the_ends_are_covered(design: Design, rate: float) -> None:
    """Wilson's own interval has .895 at 11 judgments and a rate of .99."""
    least = 0.92 if design.prompts >= 100 else 0.87
    for judge in (Rates(rate, 0.3), Rates(0.9, rate)):
        found = covered(design, (judge, judge))
        assert min(found.values()) >= least, (judge, found)

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
        *(Design(prompts, orders=2, draws=3) for prompts in (11, 30, 100)),
        Design(30, pairs=3, correlation=0.4),
    ],
)
def test_few_prompts_and_rates_at_the_ends_are_covered(design: Design, rate: float) -> None:
    """At least .87 everywhere, .92 from 100 prompts on less two standard errors of 1,000 repeats.

    Wilson's own interval has .895 at 11 judgments and a rate of .99, and .9206 at 100. Of the 100 prompts' figures
    F-Score at an L-Acc of .02 stays below .92: of two right verdicts MOVER knows too little (.877 measured).
    """
    for judge in (Rates(rate, 0.3), Rates(0.9, rate)):
        for name, share in covered(design, (judge, judge)).items():
            few = design.prompts < 100 or (name == "fidelity_score" and judge.right < 0.1)
            assert share >= (0.87 if few else 0.92 - 2 * (0.92 * 0.08 / RUNS) ** 0.5), (judge, name)

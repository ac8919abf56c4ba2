"""How often a 95 % interval holds the truth: ours, and the percentile bootstrap over pairs that was there before.

Simulated runs of known rates. A prompt's pairs hang together: its rate is drawn from a Beta distribution, which gives
single verdicts the intraclass correlation that is asked for, and both runs of a difference share their prompts' draws.

    python benchmarks/interval_coverage.py --runs 1000 --seed 0

Writes benchmarks/results/interval_coverage.json, which `make figures` puts into docs/decisions/intervals.md.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ralign.metrics.comparison import measures_difference
from ralign.metrics.intervals import Interval, fidelity_interval, wilson
from ralign.metrics.outcomes import Outcomes
from ralign.metrics.summary import measures_of, pair_sums, shares
from ralign.records import Order

Floats = NDArray[np.float64]
MEASURES = ("label_accuracy", "spurious_correctness", "fidelity_score")
NAMES = {"label_accuracy": "L-Acc", "spurious_correctness": "S-Corr", "fidelity_score": "F-Score"}


class Rates(NamedTuple):
    """What is true of a simulated judge."""

    right: float
    misaligned: float
    """Of its right verdicts."""

    def truth(self, measure: str) -> float:
        """L-Acc, S-Corr or F-Score."""
        return {
            "label_accuracy": self.right,
            "spurious_correctness": self.misaligned,
            "fidelity_score": self.right * (1 - self.misaligned),
        }[measure]


class Design(NamedTuple):
    """The size of a run."""

    prompts: int
    pairs: int = 1
    """A prompt."""
    orders: int = 1
    draws: int = 1
    correlation: float = 0.0
    """Of two judgments of one prompt."""

    @property
    def order_list(self) -> Sequence[Order]:
        """The orders by name."""
        return ("ab", "ba")[: self.orders]


def simulated(design: Design, judges: Sequence[Rates], rng: np.random.Generator) -> list[Outcomes]:
    """Runs of several judges on the same prompts."""
    units = rng.random((2, design.prompts))
    shape = (design.prompts * design.pairs, design.orders, design.draws)
    prompt = np.repeat(np.arange(design.prompts), design.pairs)

    def happens(rate: float, unit: Floats) -> NDArray[np.bool_]:
        rates = np.full(design.prompts, rate)
        if design.correlation:
            spread = 1 / design.correlation - 1
            rates = stats.beta.ppf(unit, rate * spread, (1 - rate) * spread)
        return rng.random(shape) < np.repeat(rates, design.pairs)[:, None, None]

    runs: list[Outcomes] = []
    for judge in judges:
        right, misaligned = happens(judge.right, units[0]), happens(judge.misaligned, units[1])
        aligned = np.where(right, 1 - misaligned, -1).astype(np.int8)
        label = np.zeros(len(prompt), dtype=np.int8)
        runs.append(Outcomes(label, prompt, (~right).astype(np.int8), aligned))
    return runs


def ours(design: Design, runs: Sequence[Outcomes]) -> dict[str, Interval | None]:
    """Measures of the first run, and `difference of` them."""
    found = [shares(run, design.order_list) for run in runs]
    measures = [measures_of(one, has_meta_judge=True) for one in found]
    differences = measures_difference(found[0], found[1], measures[0], measures[1])
    single = measures[0]._asdict()
    both = differences._asdict()
    return {name: single[name] for name in MEASURES} | {f"{name} difference": both[name] for name in MEASURES}


def bootstrapped(
    design: Design, runs: Sequence[Outcomes], rng: np.random.Generator, resamples: int = 1_000
) -> dict[str, Interval | None]:
    """The same by the percentile bootstrap over pairs."""
    names = ("answered", "right", "meta_judged", "misaligned")
    sums = [pair_sums(run, design.order_list) for run in runs]
    columns = np.stack([getattr(each, name) for each in sums for name in names], axis=1)
    kinds, multiplicity = np.unique(columns, axis=0, return_counts=True)
    drawn = rng.multinomial(len(columns), multiplicity / len(columns), size=resamples) @ kinds.astype(
        np.float64
    )
    found: dict[str, Interval | None] = {}
    values, observed = _values(drawn), _values(columns.sum(axis=0)[None])
    for name, samples in values.items():
        defined = samples[~np.isnan(samples)]
        value = float(observed[name][0])
        found[name] = None
        if not np.isnan(value) and len(defined):
            low, high = np.quantile(defined, (0.025, 0.975)).tolist()
            found[name] = Interval(value, low, high)
    return found


def _values(sums: Floats) -> dict[str, Floats]:
    found: list[dict[str, Floats]] = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for first in (0, 4):
            answered, right, judged, misaligned = sums[:, first : first + 4].T
            l_acc, s_corr = right / answered, misaligned / judged
            found.append(dict(zip(MEASURES, (l_acc, s_corr, l_acc * (1 - s_corr)), strict=True)))
    return found[0] | {f"{name} difference": found[1][name] - found[0][name] for name in MEASURES}


class Coverage(NamedTuple):
    """What share of intervals holds the truth, and the narrowest of them."""

    share: float
    narrowest: float


def coverage(
    found: Sequence[Mapping[str, Interval | None]], judges: Sequence[Rates], *, unclipped: float = 1e-12
) -> dict[str, Coverage]:
    """By figure, over the runs in which it is defined."""
    covered: dict[str, Coverage] = {}
    for name in found[0]:
        measure, _, paired = name.partition(" ")
        truth = judges[1].truth(measure) - judges[0].truth(measure) if paired else judges[0].truth(measure)
        known = [each for one in found if (each := one[name]) is not None]
        held = np.mean([each.low - unclipped <= truth <= each.high + unclipped for each in known])
        covered[name] = Coverage(float(held), min(each.high - each.low for each in known))
    return covered


def exact_coverage(prompts: int, judge: Rates) -> dict[str, float]:
    """By measure, with one judgment a prompt: over all counts of right and of misaligned, by their probability."""
    right = np.arange(prompts + 1)
    how_likely = stats.binom.pmf(right, prompts, judge.right)[:, None] * stats.binom.pmf(
        right[None], right[:, None], judge.misaligned
    )
    held, defined = dict.fromkeys(MEASURES, 0.0), dict.fromkeys(MEASURES, 0.0)
    for k, m in np.argwhere(how_likely > 1e-12).tolist():
        label_accuracy = Interval(k / prompts, *wilson(k / prompts, prompts))
        spurious = Interval(m / k, *wilson(m / k, k)) if k else None
        found = (label_accuracy, spurious, fidelity_interval(label_accuracy, spurious))
        for measure, each in zip(MEASURES, found, strict=True):
            if each is not None:
                defined[measure] += how_likely[k, m]
                held[measure] += how_likely[k, m] * (each.low <= judge.truth(measure) <= each.high)
    return {measure: held[measure] / defined[measure] for measure in MEASURES}


def main() -> None:
    """Write the results that the decision's tables are made of."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "interval_coverage.json"
    )
    flags = parser.parse_args()
    judges = (Rates(0.8, 0.4), Rates(0.7, 0.3))
    simulations: list[dict[str, object]] = []
    for design in (
        Design(11),
        Design(100),
        Design(166, pairs=3, correlation=0.3),
        Design(166, pairs=3, correlation=0.6),
    ):
        rng = np.random.default_rng(flags.seed)
        runs = [simulated(design, judges, rng) for _ in range(flags.runs)]
        for name, found in (
            ("before", [bootstrapped(design, each, rng) for each in runs]),
            ("after", [ours(design, each) for each in runs]),
        ):
            held = {titled(figure): each.share for figure, each in coverage(found, judges).items()}
            size = f"{design.prompts} x {design.pairs}"
            row = {"design": size, "correlation": design.correlation, "intervals": name, "held": held}
            simulations.append(row)
    exact = [
        {
            "rates": rates,
            "held": {
                f"{titled(measure)}, {prompts}": share
                for prompts in (11, 30, 100)
                for measure, share in exact_coverage(prompts, rates).items()
            },
        }
        for rates in (
            *(Rates(rate, 0.3) for rate in (0.02, 0.5, 0.99)),
            *(Rates(0.9, rate) for rate in (0.02, 0.5, 0.99)),
        )
    ]
    document = {"runs": flags.runs, "seed": flags.seed, "simulated": simulations, "exact": exact}
    flags.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def titled(figure: str) -> str:
    """A measure, or the difference of one, as tables call it."""
    measure, _, difference = figure.partition(" ")
    return f"{NAMES[measure]} {difference}".strip()


if __name__ == "__main__":
    main()

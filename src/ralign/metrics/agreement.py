"""Agreement of a meta-judge with a reference: another meta-judge, or people. Pure.

In: for each judgment, what the reference says and what was decided (None where there is no decision). Out: the
confusion counts, and what follows from them, each with a 95 % interval. "Aligned" is the positive class, as in the
paper, which picks its training meta-judge by F1 against Gemini-3-Pro's meta-judgments (section 4).
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.metrics.intervals import RESAMPLES, Interval, interval, resampled_sums

Floats = NDArray[np.float64]


class Confusion(NamedTuple):
    """Judgments by what the reference and the meta-judge say; counts, or arrays of counts of one shape."""

    both_aligned: Floats
    """True positives."""
    only_decided_aligned: Floats
    """False positives."""
    only_reference_aligned: Floats
    """False negatives."""
    both_misaligned: Floats
    """True negatives."""


class AgreementValues(NamedTuple):
    """Measures of agreement that follow from a confusion; NaN where undefined; arrays of its shape."""

    agreement: Floats
    """The share of judgments on which both say the same."""
    kappa: Floats
    """Cohen's kappa (1960): agreement beyond what the two sets of decisions would have by chance; at most 1.
    Undefined where both always say the same one thing."""
    f1: Floats
    """Harmonic mean of precision and sensitivity."""
    precision: Floats
    """Of those decided aligned: the share that is."""
    sensitivity: Floats
    """Of those that are aligned: the share decided so. Also recall."""
    specificity: Floats
    """Of those that are not: the share decided so."""


class AgreementMeasures(NamedTuple):
    """The same with their 95 % intervals; None where undefined."""

    agreement: Interval | None
    kappa: Interval | None
    f1: Interval | None
    precision: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often each combination came up, and what follows from that."""

    both_aligned: int
    only_decided_aligned: int
    only_reference_aligned: int
    both_misaligned: int
    undecided: int
    """Judgments that the reference decides and the meta-judge does not: counted here and nowhere else."""
    measures: AgreementMeasures

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON: counts and measures side by side."""
        counts = asdict(self)
        del counts["measures"]
        measures = self.measures._asdict().items()
        return {**counts, **{name: None if each is None else each._asdict() for name, each in measures}}


def agreement_values(confusion: Confusion) -> AgreementValues:
    """The measures of agreement that these counts give."""
    both, decided, reference, neither = (np.asarray(count, dtype=np.float64) for count in confusion)
    total = both + decided + reference + neither
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (both + neither) / total
        chance = (
            (both + decided) * (both + reference) + (neither + decided) * (neither + reference)
        ) / total**2
        return AgreementValues(
            agreement=observed,
            # Where chance alone gives full agreement, kappa is 0 / 0.
            kappa=(observed - chance) / np.where(chance < 1, 1 - chance, np.nan),
            f1=2 * both / (2 * both + decided + reference),
            precision=both / (both + decided),
            sensitivity=both / (both + reference),
            specificity=neither / (neither + decided),
        )


def measure_agreement(
    reference: Sequence[bool],
    decided: Sequence[bool | None],
    pairs: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Agreement:
    """Compare decisions with a reference, judgment by judgment.

    Args:
        reference: what is taken for the truth.
        decided: what the meta-judge says of the same judgments; None where it said nothing.
        pairs: which pair each judgment is about. Intervals are over pairs: the judgments of one are not independent.
        rng: draws the resamples.
        resamples: of the bootstrap.

    Raises:
        ValueError: the three are not equally long.
    """
    rows: dict[Hashable, list[int]] = {}
    undecided = 0
    for truth, decision, pair in zip(reference, decided, pairs, strict=True):
        if decision is None:
            undecided += 1
            continue
        # In the order of Confusion's fields.
        counts = rows.setdefault(pair, [0, 0, 0, 0])
        counts[2 * (not decision) + (not truth)] += 1
    shares = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 4)
    confusion = Confusion(*shares.sum(axis=0))
    found = agreement_values(confusion)
    drawn = agreement_values(Confusion(*resampled_sums(shares, resamples, rng).T))
    return Agreement(
        **{name: int(each) for name, each in confusion._asdict().items()},
        undecided=undecided,
        measures=AgreementMeasures(
            *(interval(float(value), samples) for value, samples in zip(found, drawn, strict=True))
        ),
    )

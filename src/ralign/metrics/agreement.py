"""How far a meta-judge agrees with a reference: another meta-judge, or people. Pure.

In: for each judgment, what the reference says and what was decided (None where there is no decision). Out: the
confusion counts, and what follows from them, each with a 95 % interval. "Aligned" is the positive class, as in the
paper, which picks its training meta-judge by F1 against Gemini-3-Pro's meta-judgments (section 4). The unit is the
prompt, as in `ralign.metrics.intervals`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from ralign.metrics.intervals import Floats, Interval, Share, kappa_interval


class AgreementMeasures(NamedTuple):
    """Measures of agreement with their 95 % intervals; None where undefined."""

    agreement: Interval | None
    """The share of judgments on which both say the same."""
    kappa: Interval | None
    """Cohen's kappa (1960): agreement beyond what the two sets of decisions would have by chance; at most 1.
    Undefined where both always say the same one thing."""
    f1: Interval | None
    """Harmonic mean of precision and sensitivity."""
    precision: Interval | None
    """Of those decided aligned: the share that is."""
    sensitivity: Interval | None
    """Of those that are aligned: the share decided so. Also recall."""
    specificity: Interval | None
    """Of those that are not: the share decided so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often each combination came up, and what follows from that."""

    true_positives: int
    """Both say aligned."""
    false_positives: int
    """Only the meta-judge does."""
    false_negatives: int
    """Only the reference does."""
    true_negatives: int
    """Neither does."""
    undecided: int
    """Judgments that the reference decides and the meta-judge does not: counted here and nowhere else."""
    measures: AgreementMeasures

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON: counts and measures side by side."""
        counts = asdict(self)
        del counts["measures"]
        return {
            **counts,
            **{
                name: None if each is None else each._asdict()
                for name, each in self.measures._asdict().items()
            },
        }


def measure_agreement(
    reference: Sequence[bool], decided: Sequence[bool | None], prompts: Sequence[Hashable]
) -> Agreement:
    """Compare decisions with a reference, judgment by judgment.

    Args:
        reference: what is taken for the truth.
        decided: what the meta-judge says of the same judgments; None where it said nothing.
        prompts: which prompt each judgment is about: the judgments of one are not independent.

    Raises:
        ValueError: the three are not equally long.
    """
    rows: dict[Hashable, list[int]] = {}
    undecided = 0
    for truth, decision, prompt in zip(reference, decided, prompts, strict=True):
        if decision is None:
            undecided += 1
            continue
        counts = rows.setdefault(prompt, [0, 0, 0, 0])
        counts[2 * (not decision) + (not truth)] += 1
    by_prompt = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 4)
    both, only_decided, only_reference, neither = by_prompt.T
    simple = bool((by_prompt.sum(axis=1) <= 1).all())

    def share(numerator: Floats, denominator: Floats) -> Share:
        return Share(numerator, denominator, float(denominator.sum()), simple)

    agreement = share(both + neither, by_prompt.sum(axis=1))
    # F1 counts what both call aligned twice: it is no share of judgments, so never plain Wilson.
    f1_parts = 2 * both + only_decided + only_reference
    f1 = Share(2 * both, f1_parts, float(f1_parts.sum()))
    table = by_prompt.sum(axis=0).reshape(2, 2)
    # As many judgments as those of one prompt are worth, so that kappa's standard error is over prompts too.
    worth = agreement.effective_size / agreement.judgments if agreement.judgments else 0.0
    return Agreement(
        true_positives=int(table[0, 0]),
        false_positives=int(table[0, 1]),
        false_negatives=int(table[1, 0]),
        true_negatives=int(table[1, 1]),
        undecided=undecided,
        measures=AgreementMeasures(
            agreement=agreement.interval(),
            kappa=kappa_interval(table * worth),
            f1=f1.interval(),
            precision=share(both, both + only_decided).interval(),
            sensitivity=share(both, both + only_reference).interval(),
            specificity=share(neither, neither + only_decided).interval(),
        ),
    )

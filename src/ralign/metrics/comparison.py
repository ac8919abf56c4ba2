"""Two runs on the same pairs: paired differences with intervals, and an exact test on label-right.

Paired throughout: a resample draws pairs, and takes both runs' judgments of each pair drawn, so what makes a
pair hard for both runs cancels out of the difference.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from ralign.metrics.intervals import RESAMPLES, resampled_sums
from ralign.metrics.outcomes import Outcomes
from ralign.metrics.summary import (
    Floats,
    Measures,
    PairShares,
    Values,
    pair_shares,
    sum_over_pairs,
    values,
    was_meta_judged,
    with_intervals,
)
from ralign.records import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class SignTest:
    """McNemar's exact test, two-sided, on which run is right more often on each pair.

    With one judgment a pair this is McNemar's test: the pairs only the first run got right against those only
    the second got right, binomial with p = 1/2 (McNemar 1947, in its exact form). With several judgments a
    pair it is the exact sign test on the pair's share of right judgments, of which McNemar's is the special
    case. Pairs on which the runs tie say nothing and are left out.
    """

    more_right_in_first: int
    more_right_in_second: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Comparison of two runs on the pairs that both answered."""

    pairs: int
    left_out: int
    """Pairs that one of the runs, or both, did not answer at all."""
    first: Measures
    second: Measures
    difference: Measures
    """Second minus first, paired; an interval may reach from -1 to 1."""
    mcnemar: SignTest

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        measures = {name: getattr(self, name).as_dict() for name in ("first", "second", "difference")}
        return {"pairs": self.pairs, "left_out": self.left_out, **measures, "mcnemar": asdict(self.mcnemar)}


def compare(
    first: Outcomes,
    second: Outcomes,
    orders_first: Sequence[Order],
    orders_second: Sequence[Order],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two runs whose pairs are the same, in the same order. Orders and draws may differ.

    Raises:
        ValueError: the labels differ, so these are not the same pairs; or outcomes and orders do not fit
            together.
    """
    if not np.array_equal(first.label, second.label):
        raise ValueError("the two runs do not have the same labels: they are not about the same pairs")
    shares_first, shares_second = pair_shares(first, orders_first), pair_shares(second, orders_second)
    # A pair that one run never answered cannot be paired: as 0 it would count its outage against it.
    in_both = (shares_first.answered > 0) & (shares_second.answered > 0)
    shares_first = PairShares(*(each[in_both] for each in shares_first))
    shares_second = PairShares(*(each[in_both] for each in shares_second))

    # Side by side in one array, so that each resample draws the same pairs for both runs.
    joint = resampled_sums(np.stack([*shares_first, *shares_second], axis=1), resamples, rng)
    columns = len(PairShares._fields)
    estimates: list[Values] = []
    resampled: list[Values] = []
    for shares, drawn, outcomes in (
        (shares_first, joint[:, :columns], first),
        (shares_second, joint[:, columns:], second),
    ):
        has_meta_judge = was_meta_judged(outcomes)
        estimates.append(values(sum_over_pairs(shares), has_meta_judge=has_meta_judge))
        resampled.append(values(PairShares(*drawn.T), has_meta_judge=has_meta_judge))
    return Comparison(
        pairs=int(in_both.sum()),
        left_out=int((~in_both).sum()),
        first=with_intervals(estimates[0], resampled[0]),
        second=with_intervals(estimates[1], resampled[1]),
        difference=with_intervals(_difference(*estimates), _difference(*resampled)),
        mcnemar=sign_test(shares_first.right, shares_second.right),
    )


def sign_test(right_first: Floats, right_second: Floats) -> SignTest:
    """Test whether one run is right more often; shares of right judgments, shape (pairs,), the same pairs.

    Without a pair on which they differ there is nothing to tell them apart by, and p is 1.
    """
    more_first = int((right_first > right_second).sum())
    more_second = int((right_second > right_first).sum())
    differing = more_first + more_second
    p_value = float(stats.binomtest(more_first, differing, 0.5).pvalue) if differing else 1.0
    return SignTest(more_right_in_first=more_first, more_right_in_second=more_second, p_value=p_value)


def _difference(first: Values, second: Values) -> Values:
    return Values(*(b - a for a, b in zip(first, second, strict=True)))

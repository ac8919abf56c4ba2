"""Outcomes of a run as arrays: the input of every measure.

Axes: pairs, orders, draws. One entry is one judgment that was owed. Codes are small integers so that a run of
100,000 pairs stays a few megabytes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.records import FAILURE_REASONS, FailureReason

# A judgment's verdict, or a pair's label, in the letters of the pairs file.
VERDICT_A = 0
VERDICT_B = 1
TIE = 2
"""Neither is better. As a verdict it is not right, whatever the label; a pair that has it as its label, or `NO_LABEL`,
is measured for order consistency alone, and by the benchmarks' own measures (`ralign.metrics.official`)."""
NO_VERDICT = -1
"""The judge answered, but gave no verdict: not right."""
UNANSWERED = -2
"""The call never came back (or was never made): nothing is known, nothing is counted."""

NO_LABEL = -3
"""Of a pair: nobody has said which answer is better."""

# A meta-judgment, the majority of its votes already taken.
MISALIGNED = 0
ALIGNED = 1
NOT_META_JUDGED = -1
"""Not asked for: the verdict is wrong, there is no meta-judge, or the pair has no gold rationale."""
META_FAILED = -2
"""Asked for, and no answer or none that could be read."""


# Why a judgment or a meta-judgment is missing: the place in `FAILURE_REASONS`, -1 without a failure.
REASON_CODES: dict[FailureReason | None, int] = {
    None: -1,
    **{reason: place for place, reason in enumerate(FAILURE_REASONS)},
}


def count_reasons(reasons: NDArray[np.int8]) -> dict[FailureReason, int]:
    """How often each failure came up, by `REASON_CODES`; of what was answered later the answer counts."""
    counts = np.bincount(reasons[reasons >= 0].ravel(), minlength=len(FAILURE_REASONS))
    return dict(zip(FAILURE_REASONS, counts.tolist(), strict=True))


class Outcomes(NamedTuple):
    """The codes above for every judgment of one benchmark or subset."""

    label: NDArray[np.int8]
    """Shape (pairs,): VERDICT_A, VERDICT_B, TIE or NO_LABEL."""
    prompt: NDArray[np.intp]
    """Shape (pairs,): a number for each conversation, the same for pairs that share one. The unit of every interval."""
    verdict: NDArray[np.int8]
    """Shape (pairs, orders, draws). Axis 1 is (ab, ba) for `--orders both`, one long otherwise."""
    aligned: NDArray[np.int8]
    """Shape (pairs, orders, draws)."""

    def of_pairs(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Outcomes":
        """Outcomes of some of the pairs: by number, or those marked True."""
        return Outcomes(self.label[rows], self.prompt[rows], self.verdict[rows], self.aligned[rows])

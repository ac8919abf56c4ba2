"""Outcomes of a run as arrays: the input of every measure.

Axes: pairs, orders, draws. One entry is one judgment that was owed. Codes are small integers so that a run of
100,000 pairs stays a few megabytes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A judgment's verdict, in the letters of the pairs file.
VERDICT_A = 0
VERDICT_B = 1
NO_VERDICT = -1
"""The judge answered, but gave no verdict: not right."""
UNANSWERED = -2
"""The call never came back (or was never made): nothing is known, nothing is counted."""

# A meta-judgment, the majority of its votes already taken.
MISALIGNED = 0
ALIGNED = 1
NOT_META_JUDGED = -1
"""Not asked for: the verdict is wrong, there is no meta-judge, or the pair has no gold rationale."""
META_FAILED = -2
"""Asked for, and no answer or none that could be read."""


class Outcomes(NamedTuple):
    """The codes above for every judgment of one benchmark or subset."""

    label: NDArray[np.int8]
    """Shape (pairs,): VERDICT_A or VERDICT_B."""
    prompt: NDArray[np.intp]
    """Shape (pairs,): a number for each conversation, the same for pairs that share one. The unit of every interval."""
    verdict: NDArray[np.int8]
    """Shape (pairs, orders, draws). Axis 1 is (ab, ba) for `--orders both`, one long otherwise."""
    aligned: NDArray[np.int8]
    """Shape (pairs, orders, draws)."""

    def of_pairs(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Outcomes":
        """Outcomes of some of the pairs: by number, or those marked True."""
        return Outcomes(self.label[rows], self.prompt[rows], self.verdict[rows], self.aligned[rows])

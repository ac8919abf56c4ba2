"""Math-DPO-10K, by its full name Math-Step-DPO-10K (arXiv 2406.18629).

Columns: `dataset`, `prompt`, `initial_reason_steps` (right steps that both answers begin with), `chosen` and
`rejected` (the next step, right and wrong), `full_chosen` and `full_rejected` (with all later steps), `answer`.

Read from the data card of xinlai/Math-Step-DPO-10K (README at e51435d); that this is the paper's Math-DPO-10K is what
RM-R1 (arXiv 2505.02387), whose training sets the paper takes over, links to. The card does not say whether the full
texts repeat the initial steps, so they are put in front where they are not there already. No row of the original has
been seen here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ralign.data.convert.position import Preference
from ralign.data.convert.schema import LeftOut, asked, rest_of
from ralign.files.rows import Row, RowLocation, optional_string, string

_TEXTS = ("prompt", "initial_reason_steps", "chosen", "rejected", "full_chosen", "full_rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class MathDPO:
    """One preference a row: two whole solutions; the subset is the problem's data set."""

    benchmark: str = "Math-DPO-10K"

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        steps = optional_string(row, "initial_reason_steps", place) or ""
        preference = Preference(
            conversation=asked(string(row, "prompt", place), "prompt", place),
            chosen=_whole(steps, string(row, "full_chosen", place)),
            rejected=_whole(steps, string(row, "full_rejected", place)),
            subset=optional_string(row, "dataset", place),
            kept=rest_of(row, (*_TEXTS, "dataset")),
        )
        return [preference]


def _whole(steps: str, rest: str) -> str:
    return rest if rest.startswith(steps) else steps + rest

"""HelpSteer3, configuration `preference` (arXiv 2505.11475).

Columns: `domain`, `language`, `context` (messages up to the user's last), `response1`, `response2`,
`overall_preference` from -3 (response 1 is much better) to 3 (response 2 is), and `individual_preference`, up to three
of `{score, reasoning, feedback1, feedback2}`.

Read from the data card of nvidia/HelpSteer3 (README at 317951e; files `preference/train.jsonl.gz` and
`preference/validation.jsonl.gz`), the column types of a re-upload's card (davidanugraha/HelpSteer3 at d0b36f2), and
the scale as AIR-hl/helpsteer3_preference's card gives it. No row of the original has been seen here.

Ties (0) carry no preference and are left out. The comments stay in `individual_preference`, with
`overall_preference`, from which `ralign gold` sees which response they speak of. Rows have no id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ralign.data.convert.position import Preference
from ralign.data.convert.schema import LeftOut, conversation_of, rest_of
from ralign.files.rows import Row, RowLocation, expected, optional_string, string


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpSteer3:
    """One preference a row; the subset is the domain."""

    benchmark: str = "HelpSteer3"

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        overall = row.get("overall_preference")
        if not isinstance(overall, int) or isinstance(overall, bool) or not -3 <= overall <= 3:
            raise expected(row, "overall_preference", "a whole number from -3 to 3", place)
        conversation = conversation_of(row, "context", place)
        first, second = string(row, "response1", place), string(row, "response2", place)
        if overall == 0:
            return LeftOut("tie")
        preference = Preference(
            conversation=conversation,
            chosen=first if overall < 0 else second,
            rejected=second if overall < 0 else first,
            subset=optional_string(row, "domain", place),
            kept=rest_of(row, ("context", "response1", "response2")),
        )
        return [preference]

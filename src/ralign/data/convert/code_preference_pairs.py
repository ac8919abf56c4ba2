"""Code-Preference-Pairs: a right program against the same with a bug put in.

Columns: `instruction`, `input` (what is asked), `accepted`, `rejected`, `ID`.

The data card (Vezora/Code-Preference-Pairs at dffbc64, one file `Code-Preference-Pairs.jsonl`) could not be read
here. The columns are those that TRL's documentation on preference formats converts from this set (`input` is the
prompt there; `instruction` and `ID` are dropped), and that a re-upload's card lists. Where `input` is blank, the
`instruction` is what is asked. Whether an `ID` stands once is not said, so pairs are named by their content.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ralign.data.convert.position import Preference
from ralign.data.convert.schema import LeftOut, asked, rest_of
from ralign.files.rows import Row, RowLocation, optional_string, string


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePreferencePairs:
    """One preference a row."""

    benchmark: str = "Code-Preference-Pairs"

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        question = optional_string(row, "input", place) or ""
        if not question.strip():
            question = optional_string(row, "instruction", place) or ""
        preference = Preference(
            conversation=asked(question, "input", place),
            chosen=string(row, "accepted", place),
            rejected=string(row, "rejected", place),
            kept=rest_of(row, ("input", "accepted", "rejected")),
        )
        return [preference]

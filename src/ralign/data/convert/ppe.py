"""PPE human preference (arXiv 2410.14872).

Columns: `question_id`, `model_a`, `model_b`, `winner`, `prompt`, `response_1`, `response_2`, `language`, and what the
prompt is like (`is_code`, `hard_prompt`, `category_tag`, ...).

Read from the data card of lmarena-ai/PPE-Human-Preference-V1 (README at e75cdc5), which gives `prompt` as a string;
a list of messages is taken too. The card does not list the values of `winner`: `model_a` (whose answer is
`response_1`), `model_b`, `tie` and `tie (bothbad)` are those that public code for this set and for its parent,
Chatbot Arena, compares with; another one is a bad row. No row of the original has been seen here.

Ties are left out. Whether a `question_id` stands once is not said, so pairs are named by their content. The set is
for evaluation, not for training, says the card.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ralign.data.convert.position import Preference
from ralign.data.convert.schema import LeftOut, conversation_of, rest_of
from ralign.files.rows import Row, RowLocation, expected, optional_string, string

_TIES = ("tie", "tie (bothbad)", "both_bad")


@dataclass(frozen=True, slots=True, kw_only=True)
class PPE:
    """One preference a row; the subset is the language."""

    benchmark: str = "PPE-Preference"

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        conversation = conversation_of(row, "prompt", place)
        first, second = string(row, "response_1", place), string(row, "response_2", place)
        winner = row.get("winner")
        if winner in _TIES:
            return LeftOut("tie")
        if winner not in ("model_a", "model_b"):
            raise expected(row, "winner", "'model_a', 'model_b' or a tie", place)
        preference = Preference(
            conversation=conversation,
            chosen=first if winner == "model_a" else second,
            rejected=second if winner == "model_a" else first,
            subset=optional_string(row, "language", place),
            kept=rest_of(row, ("prompt", "response_1", "response_2")),
        )
        return [preference]

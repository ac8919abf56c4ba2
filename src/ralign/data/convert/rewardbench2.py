"""RewardBench 2 (arXiv 2506.01937).

Columns: `id`, `prompt` (a string), `chosen` and `rejected` (lists of strings), `num_correct`, `num_incorrect`,
`total_completions`, `models`, `subset`, `additional_metadata`.

Read from the data card of allenai/reward-bench-2 (README at 7ff0885). Its rule: in five of the six subsets a row
counts when its one chosen answer scores above each of its three rejected ones; in `Ties` every correct answer must
score above every incorrect one, and the margins count too. No row of the original has been seen here.

So every rejected answer gives one pair. Its partner is the row's chosen answer; where there are several (`Ties`), one
of them, drawn by the seed, so that a question with many right answers does not outweigh the rest with all its
combinations. Each pair is a preference by the card's rule. A share of pairs is not the leaderboard's score: that asks
for all three pairs of a row at once, and `row_id` says which belong together. `--leave-out Ties` drops that subset.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ralign.data.convert.position import Preference
from ralign.data.convert.schema import LeftOut, asked, rest_of
from ralign.files.rows import Row, RowLocation, expected, identifier, optional_string, string
from ralign.judging import call_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardBench2:
    """One preference a rejected answer."""

    seed: int
    benchmark: str = "RewardBench2"

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        row_id = identifier(row, "id", place)
        conversation = asked(string(row, "prompt", place), "prompt", place)
        chosen, rejected = _texts(row, "chosen", place), _texts(row, "rejected", place)
        subset = optional_string(row, "subset", place)
        kept = {"row_id": row_id, **rest_of(row, ("id", "prompt", "chosen", "rejected"))}
        return [
            Preference(
                id=f"{row_id}/{number}",
                conversation=conversation,
                chosen=chosen[call_seed(self.seed, "partner", row_id, number) % len(chosen)],
                rejected=answer,
                subset=subset,
                kept=kept,
            )
            for number, answer in enumerate(rejected)
        ]


def _texts(row: Row, key: str, place: RowLocation) -> list[str]:
    values = row.get(key)
    if not isinstance(values, list) or not values:
        raise expected(row, key, "a list of one or more strings", place)
    for number, value in enumerate(cast("list[object]", values)):
        if not isinstance(value, str):
            raise place.bad(f"{key}[{number}] is not a string, expected the text of an answer")
    return cast("list[str]", values)

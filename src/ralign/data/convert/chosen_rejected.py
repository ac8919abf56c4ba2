"""Any data with a better and a worse answer in two columns, as DPO trainers read it; and Skywork's, which is that.

The two columns hold either the answers' texts, or whole conversations that end in them: lists of messages. Texts need
a column with the prompt, a text or messages. Conversations bring theirs with them; where there is a prompt column as
well, TRL's "explicit prompt", the answers' columns hold the answers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ralign.data.convert.position import Preference
from ralign.data.convert.schema import LeftOut, conversation_of, rest_of, split_last
from ralign.files.pair_rows import messages_of
from ralign.files.rows import Row, RowLocation, identifier, shown, string
from ralign.records import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRejected:
    """One preference a row."""

    benchmark: str
    prompt: str = "prompt"
    chosen: str = "chosen"
    rejected: str = "rejected"
    id_column: str | None = None
    """None: pairs are named by their content."""
    subset_column: str | None = None

    def read(self, row: Row, place: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        if self.prompt in row:
            conversation = before = conversation_of(row, self.prompt, place)
            chosen, rejected = self._answer(row, self.chosen, place), self._answer(row, self.rejected, place)
        else:
            if isinstance(row.get(self.chosen), str):
                raise place.bad(
                    f"{self.chosen} is a text and {self.prompt} is missing, expected the prompt too"
                )
            conversation, chosen = split_last(row, self.chosen, place)
            before, rejected = split_last(row, self.rejected, place)
        if _turns(conversation) != _turns(before):
            return LeftOut("the two answers belong to different conversations")
        subset = row.get(self.subset_column) if self.subset_column is not None else None
        preference = Preference(
            id=None if self.id_column is None else identifier(row, self.id_column, place),
            conversation=conversation,
            chosen=chosen,
            rejected=rejected,
            subset=None if subset is None else str(subset),
            kept=rest_of(
                row, {self.prompt, self.chosen, self.rejected, self.id_column, self.subset_column} - {None}
            ),
        )
        return [preference]

    def _answer(self, row: Row, key: str, place: RowLocation) -> str:
        """An answer beside its prompt: a text, or a list of one message of the assistant's."""
        if isinstance(row.get(key), str):
            return string(row, key, place)
        messages = messages_of(row, key, place)
        if len(messages) != 1 or messages[0].role != "assistant":
            raise place.bad(
                f"{key} has {len(messages)} messages, the last from {shown(messages[-1].role)}, beside "
                f"{self.prompt}, expected one from 'assistant'"
            )
        return messages[0].content


def _turns(conversation: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation]


def skywork(benchmark: str = "Skywork-Reward-Preference-80K") -> ChosenRejected:
    """Skywork-Reward-Preference-80K (arXiv 2410.18451): `chosen` and `rejected`, lists of messages, and `source`.

    The data card (Skywork/Skywork-Reward-Preference-80K-v0.2) could not be read here. The columns are those that
    public code for the set reads (`row["chosen"][0]["role"]`), and trainers name as `chosen_key` and `rejected_key`;
    `source`, kept as the subset, is named in papers that use the set. RM-R1 (arXiv 2505.02387, appendix F) reports
    that in `magpie_ultra`, about 30 % of the set, the rejected conversation often has more turns than the chosen one,
    and leaves that source out. Rows whose conversations differ are left out and counted here;
    `--leave-out SOURCE` drops a whole source.
    """
    return ChosenRejected(benchmark=benchmark, subset_column="source")

"""The schemas that are read: a row in; preferences, or why there are none, out. Pure.

A reader takes a parsed row and its location, and raises `BadRow` where the row is not of its schema. Columns that
become a part of the pair are taken out of the row; all others stay with the pair as they came. Where a data set does
not say that an id stands once, pairs are named by their content.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from ralign.data.convert.position import Preference
from ralign.files.pair_rows import KNOWN_COLUMNS, read_messages, read_turns
from ralign.files.rows import Row, RowLocation, expected, identifier, optional_string, shown, string
from ralign.judging import call_seed
from ralign.records import Message


class LeftOut(NamedTuple):
    """A row that is as it should be and carries no preference to convert."""

    reason: str
    """A few words that rows are counted under."""


Read = Callable[[Row, RowLocation], Sequence[Preference] | LeftOut]


class Schema(NamedTuple):
    """A data set's way of writing preferences."""

    benchmark: str
    """The name that the pairs count under."""
    read: Read


def columns_besides(row: Row, taken: Collection[str | None]) -> Row:
    """The columns that are not taken, under names that the interchange format does not use itself."""
    return {
        f"original_{key}" if key in KNOWN_COLUMNS else key: value
        for key, value in row.items()
        if key not in taken
    }


def read_helpsteer3(row: Row, location: RowLocation) -> Sequence[Preference] | LeftOut:
    """HelpSteer3, configuration `preference` (arXiv 2505.11475); the subset is the domain.

    Columns: `domain`, `language`, `context` (messages up to the user's last), `response1`, `response2`,
    `overall_preference` from -3 (response 1 is much better) to 3 (response 2 is), and `individual_preference`, up to
    three of `{score, reasoning, feedback1, feedback2}`.
    """
    # Read from the data card of nvidia/HelpSteer3 (README at 317951e; files `preference/train.jsonl.gz` and
    # `preference/validation.jsonl.gz`), the column types of a re-upload's card (davidanugraha/HelpSteer3 at d0b36f2),
    # and the scale as AIR-hl/helpsteer3_preference's card gives it. No row of the original has been seen here.
    overall = row.get("overall_preference")
    if not isinstance(overall, int) or isinstance(overall, bool) or not -3 <= overall <= 3:
        raise expected(row, "overall_preference", "a whole number from -3 to 3", location)
    conversation = read_turns(row, "context", location)
    first, second = string(row, "response1", location), string(row, "response2", location)
    if overall == 0:
        return LeftOut("tie")
    preference = Preference(
        conversation=conversation,
        chosen=first if overall < 0 else second,
        rejected=second if overall < 0 else first,
        subset=optional_string(row, "domain", location),
        # The comments stay, with the preference from which `ralign gold` sees which response they speak of.
        other_columns=columns_besides(row, ("context", "response1", "response2")),
    )
    return [preference]


def read_ppe(row: Row, location: RowLocation) -> Sequence[Preference] | LeftOut:
    """PPE human preference (arXiv 2410.14872); the subset is the language. For evaluation only, says its card.

    Columns: `question_id`, `model_a`, `model_b`, `winner`, `prompt`, `response_1`, `response_2`, `language`, and what
    the prompt is like (`is_code`, `hard_prompt`, `category_tag`, ...).
    """
    # Read from the data card of lmarena-ai/PPE-Human-Preference-V1 (README at e75cdc5), which gives `prompt` as a
    # string; a list of messages is taken too. No row of the original has been seen here.
    conversation = read_turns(row, "prompt", location)
    first, second = string(row, "response_1", location), string(row, "response_2", location)
    winner = row.get("winner")
    # The card does not list the values of `winner`. These are the ones that public code for this set and for its
    # parent, Chatbot Arena, compares with; `model_a` gave `response_1`.
    if winner in ("tie", "tie (bothbad)", "both_bad"):
        return LeftOut("tie")
    if winner not in ("model_a", "model_b"):
        raise expected(row, "winner", "'model_a', 'model_b' or a tie", location)
    preference = Preference(
        conversation=conversation,
        chosen=first if winner == "model_a" else second,
        rejected=second if winner == "model_a" else first,
        subset=optional_string(row, "language", location),
        other_columns=columns_besides(row, ("prompt", "response_1", "response_2")),
    )
    return [preference]


def read_rewardbench2(row: Row, location: RowLocation, *, seed: int) -> Sequence[Preference]:
    """RewardBench 2 (arXiv 2506.01937): one preference a rejected answer.

    Columns: `id`, `prompt` (a string), `chosen` and `rejected` (lists of strings), `num_correct`, `num_incorrect`,
    `total_completions`, `models`, `subset`, `additional_metadata`.
    """
    # Read from the data card of allenai/reward-bench-2 (README at 7ff0885). Its rule: in five of the six subsets a row
    # counts when its one chosen answer scores above each of its three rejected ones; in `Ties` every correct answer
    # must score above every incorrect one, and the margins count too. No row of the original has been seen here.
    #
    # Each pair is a preference by the card's rule. A share of pairs is not the leaderboard's score: that asks for all
    # three pairs of a row at once, and `row_id` says which belong together.
    row_id = identifier(row, "id", location)
    conversation = read_turns(row, "prompt", location)
    answers: dict[str, list[str]] = {}
    for key in ("chosen", "rejected"):
        values = row.get(key)
        if not isinstance(values, list) or not values:
            raise expected(row, key, "a list of one or more strings", location)
        for number, value in enumerate(cast("list[object]", values)):
            if not isinstance(value, str):
                raise location.bad(f"{key}[{number}] is not a string, expected the text of an answer")
        answers[key] = cast("list[str]", values)
    chosen = answers["chosen"]
    other_columns = {"row_id": row_id, **columns_besides(row, ("id", "prompt", "chosen", "rejected"))}
    return [
        Preference(
            id=f"{row_id}/{number}",
            conversation=conversation,
            # Of several right answers (`Ties`) one is drawn for each wrong one: all combinations would make a
            # question with many right answers outweigh the rest.
            chosen=chosen[call_seed(seed, "partner", row_id, number) % len(chosen)],
            rejected=rejected,
            subset=optional_string(row, "subset", location),
            other_columns=other_columns,
        )
        for number, rejected in enumerate(answers["rejected"])
    ]


def read_code_preference_pairs(row: Row, location: RowLocation) -> Sequence[Preference]:
    """Code-Preference-Pairs: a right program against the same with a bug put in.

    Columns: `instruction`, `input` (the user's question), `accepted`, `rejected`, `ID`.
    """
    # The data card (Vezora/Code-Preference-Pairs at dffbc64, one file `Code-Preference-Pairs.jsonl`) could not be read
    # here. The columns are those that TRL's documentation on preference formats converts from this set (`input` is the
    # prompt there; `instruction` and `ID` are dropped), and that a re-upload's card lists.
    question = optional_string(row, "input", location) or ""
    if not question.strip():
        question = optional_string(row, "instruction", location) or ""
    preference = Preference(
        conversation=read_turns({"input": question}, "input", location),
        chosen=string(row, "accepted", location),
        rejected=string(row, "rejected", location),
        other_columns=columns_besides(row, ("input", "accepted", "rejected")),
    )
    return [preference]


def read_math_dpo(row: Row, location: RowLocation) -> Sequence[Preference]:
    """Math-DPO-10K, by its full name Math-Step-DPO-10K (arXiv 2406.18629); the subset is the problem's data set.

    Columns: `dataset`, `prompt`, `initial_reason_steps` (right steps that both answers begin with), `chosen` and
    `rejected` (the next step, right and wrong), `full_chosen` and `full_rejected` (with all later steps), `answer`.
    """
    # Read from the data card of xinlai/Math-Step-DPO-10K (README at e51435d); that this is the paper's Math-DPO-10K is
    # what RM-R1 (arXiv 2505.02387), whose training sets the paper takes over, links to. No row of the original has been
    # seen here.
    steps = optional_string(row, "initial_reason_steps", location) or ""
    chosen, rejected = (string(row, key, location) for key in ("full_chosen", "full_rejected"))
    texts = ("prompt", "initial_reason_steps", "chosen", "rejected", "full_chosen", "full_rejected")
    preference = Preference(
        conversation=read_turns(row, "prompt", location),
        # The card does not say whether the full texts repeat the initial steps.
        chosen=chosen if chosen.startswith(steps) else steps + chosen,
        rejected=rejected if rejected.startswith(steps) else steps + rejected,
        subset=optional_string(row, "dataset", location),
        other_columns=columns_besides(row, (*texts, "dataset")),
    )
    return [preference]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRejected:
    """Any data with a better and a worse answer in two columns, as DPO trainers read it.

    The two columns hold either the answers' texts, or whole conversations that end in them: lists of messages. Texts
    need a column with the prompt, a text or messages. Conversations bring theirs with them; where there is a prompt
    column as well, TRL's "explicit prompt", the answers' columns hold the answers alone.

    Skywork-Reward-Preference-80K (arXiv 2410.18451) is this with `source` as the subset. Its data card
    (Skywork/Skywork-Reward-Preference-80K-v0.2) could not be read here. The columns are those that public code for
    the set reads (`row["chosen"][0]["role"]`), and trainers name as `chosen_key` and `rejected_key`; `source` is named
    in papers that use the set.
    """

    prompt: str = "prompt"
    chosen: str = "chosen"
    rejected: str = "rejected"
    id_column: str | None = None
    """None: pairs are named by their content."""
    subset_column: str | None = None

    def read(self, row: Row, location: RowLocation) -> Sequence[Preference] | LeftOut:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
        """
        if self.prompt in row:
            conversation = other = read_turns(row, self.prompt, location)
            chosen = self._answer(row, self.chosen, location)
            rejected = self._answer(row, self.rejected, location)
        else:
            if isinstance(row.get(self.chosen), str):
                raise location.bad(
                    f"{self.chosen} is a text and {self.prompt} is missing, expected the prompt too"
                )
            conversation, chosen = _split_last(row, self.chosen, location)
            other, rejected = _split_last(row, self.rejected, location)
        # RM-R1 (arXiv 2505.02387, appendix F) reports that in `magpie_ultra`, about 30 % of Skywork's set, the
        # rejected conversation often has more turns than the chosen one, and leaves that whole source out.
        if [(m.role, m.content) for m in conversation] != [(m.role, m.content) for m in other]:
            return LeftOut("the two answers belong to different conversations")
        subset = row.get(self.subset_column) if self.subset_column is not None else None
        taken = {self.prompt, self.chosen, self.rejected, self.id_column, self.subset_column}
        preference = Preference(
            id=None if self.id_column is None else identifier(row, self.id_column, location),
            conversation=conversation,
            chosen=chosen,
            rejected=rejected,
            subset=None if subset is None else str(subset),
            other_columns=columns_besides(row, taken),
        )
        return [preference]

    def _answer(self, row: Row, key: str, location: RowLocation) -> str:
        """An answer beside its prompt: a text, or a list of one message of the assistant's."""
        value = row.get(key)
        if isinstance(value, str):
            return value
        messages = read_messages(row, key, location)
        if len(messages) != 1 or messages[0].role != "assistant":
            raise location.bad(
                f"{key} has {len(messages)} messages, the last from {shown(messages[-1].role)}, beside "
                f"{self.prompt}, expected one from 'assistant'"
            )
        return messages[0].content


def _split_last(row: Row, key: str, location: RowLocation) -> tuple[tuple[Message, ...], str]:
    """A column that holds a whole conversation: the messages before the last, and the last one's text."""
    messages = read_messages(row, key, location)
    if messages[-1].role != "assistant":
        raise location.bad(
            f"the last message of {key} is from {shown(messages[-1].role)}, expected 'assistant'"
        )
    if len(messages) < 2 or messages[-2].role != "user":
        raise location.bad(f"{key} has no message of the user's before the answer, expected one")
    return messages[:-1], messages[-1].content

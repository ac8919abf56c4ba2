"""Data with a better and a worse answer, as DPO trainers and reward models are fed: a row in, comparisons out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from ralign.data.convert.labels import as_number
from ralign.data.convert.position import Comparison
from ralign.data.convert.row import columns_besides, prompt_columns, subset_of
from ralign.data.convert.turns import (
    LeftOut,
    answer_of,
    asked,
    conversation_of,
    is_transcript,
    transcript_of,
)
from ralign.files.pair_rows import Row, RowLocation, expected, identifier, shown, string
from ralign.judging import call_seed
from ralign.records import Message, Verdict

_SCORES: Final = ("score_chosen", "score_rejected")
_DIFFERENT: Final = "the two answers belong to different conversations"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRejected:
    """Any data with a better and a worse answer in two columns, as DPO trainers read it.

    The two columns hold the answers' texts, or one message each, or whole conversations that end in them. Texts need a
    column with the prompt, a text or messages. Conversations bring theirs with them, also where a column repeats the
    prompt (UltraFeedback's, orpo-dpo-mix's); TRL's "explicit prompt" has the prompt in one column and the answers alone
    in the others. A `system` text becomes the first message. Equal scores (`score_chosen`, `score_rejected`) are a tie.

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

    def read(self, row: Row, location: RowLocation) -> Sequence[Comparison]:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
            LeftOut: the answers belong to different conversations, or hold what is no text.
        """
        taken = {*prompt_columns(self.prompt), self.chosen, self.rejected, self.id_column, self.subset_column}
        chosen = answer_of(row, self.chosen, location)
        rejected = answer_of(row, self.rejected, location)
        if isinstance(chosen, str) and isinstance(rejected, str):
            if row.get(self.prompt) is None:
                if is_transcript(row[self.chosen]):
                    raise location.bad(
                        f"{self.chosen} is a transcript, expected an answer; `ralign convert hh-rlhf` reads those"
                    )
                raise location.bad(
                    f"{self.chosen} is a text and {self.prompt} is missing, expected the prompt too (--prompt-column)"
                )
            conversation = conversation_of(row, self.prompt, location)
        elif isinstance(chosen, str) or isinstance(rejected, str):
            text, talk = (
                (self.chosen, self.rejected) if isinstance(chosen, str) else (self.rejected, self.chosen)
            )
            raise location.bad(f"{text} is one answer and {talk} a conversation, expected two of a kind")
        else:
            conversation, chosen = _split_last(chosen, self.chosen, location)
            other, rejected = _split_last(rejected, self.rejected, location)
            # RM-R1 (arXiv 2505.02387, appendix F) reports that in `magpie_ultra`, about 30 % of Skywork's set, the
            # rejected conversation often has more turns than the chosen one, and leaves that whole source out.
            if _texts(conversation) != _texts(other):
                raise LeftOut(_DIFFERENT)
            if not self._repeats(row, conversation, location):
                # Not the conversation's: the conversations stand, and the column stays with the pair.
                taken.discard(self.prompt)
        return [
            Comparison(
                id=None if self.id_column is None else identifier(row, self.id_column, location),
                conversation=with_system(row, conversation),
                first=chosen,
                second=rejected,
                label=_label_by_scores(row, location),
                subset=subset_of(row, self.subset_column),
                other_columns=columns_besides(row, taken),
            )
        ]

    def _repeats(self, row: Row, conversation: tuple[Message, ...], location: RowLocation) -> bool:
        """Whether the prompt's column says nothing else than the conversation: one of its turns, or its beginning."""
        prompt = row.get(self.prompt)
        if isinstance(prompt, str):
            return any(message.content.strip() == prompt.strip() for message in conversation)
        if prompt is None:
            return False
        turns = _texts(conversation_of(row, self.prompt, location))
        return turns == _texts(conversation)[: len(turns)]


def read_hh_rlhf(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """HH-RLHF (arXiv 2204.05862): two transcripts, `chosen` and `rejected`, that part at the last answer."""
    conversation, chosen = _split_last(transcript_of(row, "chosen", location), "chosen", location)
    other, rejected = _split_last(transcript_of(row, "rejected", location), "rejected", location)
    if _texts(conversation) != _texts(other):
        raise LeftOut(_DIFFERENT)
    rest = columns_besides(row, ("chosen", "rejected"))
    return [Comparison(conversation=conversation, first=chosen, second=rejected, other_columns=rest)]


def read_nectar(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """Nectar: seven answers ranked by GPT-4; the best against each that is ranked lower.

    Columns: `prompt` (a transcript that ends in "Assistant:"), `answers` (`{answer, model, rank}`), `turns`,
    `num_responses`, `source`, `good_natured`.
    """
    # Read from the data card of berkeley-nest/Nectar. All 21 comparisons of a row would say little more: six of them
    # name every answer but the best, and the order among the others is the ranking's noisiest part.
    *turns, last = transcript_of(row, "prompt", location)
    turns = turns if last.role == "assistant" and not last.content else [*turns, last]
    conversation = asked(tuple(turns), "prompt", location)
    answers = row.get("answers")
    if not isinstance(answers, list) or len(cast("list[object]", answers)) < 2:
        raise expected(row, "answers", "a list of two or more answers", location)
    ranked: list[tuple[float, str, object]] = []
    for number, answer in enumerate(cast("list[object]", answers)):
        at = f"answers[{number}]."
        if not isinstance(answer, dict):
            raise location.bad(f"{at[:-1]} is {shown(answer)}, expected an object with answer and rank")
        answer = cast(Row, answer)
        if (rank := as_number(answer.get("rank"))) is None:
            raise expected(answer, "rank", "a number", location, at=at)
        ranked.append((rank, string(answer, "answer", location, at=at), answer.get("model")))
    ranked.sort(key=lambda each: each[0])
    (best_rank, best, best_model), *others = ranked
    rest = columns_besides(row, ("prompt", "answers"))
    compared = [
        Comparison(
            conversation=conversation,
            first=best,
            second=text,
            other_columns=rest | {"chosen_model": best_model, "rejected_model": model, "rejected_rank": rank},
        )
        for rank, text, model in others
        if rank > best_rank
    ]
    if not compared:
        raise LeftOut("all answers have the same rank")
    return compared


def read_rewardbench2(row: Row, location: RowLocation, *, seed: int) -> Sequence[Comparison]:
    """RewardBench 2 (arXiv 2506.01937): one comparison a rejected answer.

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
    chosen, rejected = (_answers(row, key, location) for key in ("chosen", "rejected"))
    # Of several right answers (`Ties`) one is drawn for each wrong one: all combinations would make a question with
    # many right answers outweigh the rest.
    return _each_rejected(
        row,
        location,
        {
            f"{row_id}/{number}": (chosen[call_seed(seed, "partner", row_id, number) % len(chosen)], text)
            for number, text in enumerate(rejected)
        },
        subset="subset",
    )


def read_rm_bench(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """RM-Bench (arXiv 2410.16184): every chosen answer against every rejected one, three styles of each; the subset is
    the domain.

    Columns: `id`, `prompt`, `chosen` and `rejected` (three texts: concise, detailed, detailed in Markdown), `domain`.
    """
    # Read from the data card of THU-KEG/RM-Bench. Its hard, normal and easy accuracy are three parts of the matrix of
    # nine; the id says which cell a pair is.
    row_id = identifier(row, "id", location)
    chosen, rejected = (_answers(row, key, location) for key in ("chosen", "rejected"))
    return _each_rejected(
        row,
        location,
        {
            f"{row_id}/{i}-{j}": (better, worse)
            for i, better in enumerate(chosen)
            for j, worse in enumerate(rejected)
        },
        subset="domain",
    )


def with_system(row: Row, conversation: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation after the row's `system` text, where it has one and the conversation does not."""
    system = row.get("system")
    if not isinstance(system, str) or not system.strip() or conversation[0].role == "system":
        return conversation
    return (Message(role="system", content=system), *conversation)


def _each_rejected(
    row: Row, location: RowLocation, pairs: dict[str, tuple[str, str]], *, subset: str
) -> list[Comparison]:
    conversation = conversation_of(row, "prompt", location)
    rest = {"row_id": identifier(row, "id", location)}
    rest |= columns_besides(row, ("id", "prompt", "chosen", "rejected"))
    return [
        Comparison(
            id=pair_id,
            conversation=conversation,
            first=better,
            second=worse,
            subset=subset_of(row, subset),
            other_columns=rest,
        )
        for pair_id, (better, worse) in pairs.items()
    ]


def _answers(row: Row, key: str, location: RowLocation) -> list[str]:
    values = row.get(key)
    if not isinstance(values, list) or not values:
        raise expected(row, key, "a list of one or more strings", location)
    for number, value in enumerate(cast("list[object]", values)):
        if not isinstance(value, str):
            raise location.bad(f"{key}[{number}] is not a string, expected the text of an answer")
    return cast("list[str]", values)


def _split_last(
    messages: tuple[Message, ...], key: str, location: RowLocation
) -> tuple[tuple[Message, ...], str]:
    """A whole conversation: the messages before the last, and the last one's text."""
    if messages[-1].role != "assistant":
        raise location.bad(
            f"the last message of {key} is from {shown(messages[-1].role)}, expected 'assistant'"
        )
    before = messages[:-1]
    return asked(before, key, location), messages[-1].content


def _texts(conversation: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation]


def _label_by_scores(row: Row, location: RowLocation) -> Verdict:
    chosen, rejected = (as_number(row.get(key)) for key in _SCORES)
    if chosen is None or rejected is None or chosen > rejected:
        return "A"
    if chosen == rejected:
        return "tie"
    raise location.bad(f"score_chosen is {chosen:g}, expected at least score_rejected, {rejected:g}")

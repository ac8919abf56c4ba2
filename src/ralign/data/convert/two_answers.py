"""Data with two answers and a label that says which is better, ties among them: a row in, comparisons out. Pure.

Where a data set does not say that an id stands once, pairs are named by their content.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ralign.data.convert.chosen_rejected import with_system
from ralign.data.convert.labels import LabelValues, as_number, number_label, word_label
from ralign.data.convert.position import Comparison
from ralign.data.convert.row import columns_besides, prompt_columns, subset_of
from ralign.data.convert.turns import LeftOut, answer_of, asked, conversation_of, list_in_text, messages_of
from ralign.files.pair_rows import Row, RowLocation, expected, identifier, string
from ralign.records import Message, Verdict

_ONE_HOT: Final[dict[str, Verdict]] = {"winner_model_a": "A", "winner_model_b": "B", "winner_tie": "tie"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoAnswers:
    """Any data with two answers in two columns and a label in a third; a row without a label gives a pair without."""

    prompt: str
    answer_a: str
    answer_b: str
    label: str
    values: LabelValues = field(default_factory=LabelValues)
    id_column: str | None = None
    subset_column: str | None = None

    def read(self, row: Row, location: RowLocation) -> Sequence[Comparison]:
        """Read one row.

        Raises:
            BadRow: the row is not of this schema.
            InputError: the label is a number, and nobody said what it means.
            LeftOut: something in it is no text.
        """
        columns = {
            *prompt_columns(self.prompt),
            self.answer_a,
            self.answer_b,
            self.id_column,
            self.subset_column,
        }
        return [
            Comparison(
                id=None if self.id_column is None else identifier(row, self.id_column, location),
                conversation=with_system(row, conversation_of(row, self.prompt, location)),
                first=_one_answer(row, self.answer_a, location),
                second=_one_answer(row, self.answer_b, location),
                label=self.values.read(row, self.label, location),
                subset=subset_of(row, self.subset_column),
                other_columns=columns_besides(row, columns),
            )
        ]


def read_judgebench(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """JudgeBench (arXiv 2410.12784); the subset is the source's kind (`mmlu-pro-math`, `livebench-reasoning`, ...).

    Columns: `pair_id`, `original_id`, `source`, `question`, `response_model`, `response_A`, `response_B`, `label`.
    """
    return [
        Comparison(
            id=identifier(row, "pair_id", location),
            conversation=conversation_of(row, "question", location),
            first=string(row, "response_A", location),
            second=string(row, "response_B", location),
            label=word_label(row, "label", location),
            subset=subset_of(row, "source"),
            other_columns=columns_besides(row, ("pair_id", "question", "response_A", "response_B", "source")),
        )
    ]


def read_llmbar(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """LLMBar (arXiv 2310.07641): `input` is the instruction, `label` is 1 or 2, the number of the better output."""
    return [
        Comparison(
            conversation=conversation_of(row, "input", location),
            first=string(row, "output_1", location),
            second=string(row, "output_2", location),
            label=number_label(row, "label", {1: "A", 2: "B"}, location),
            other_columns=columns_besides(row, ("input", "output_1", "output_2")),
        )
    ]


def read_pandalm(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """PandaLM's test set (arXiv 2306.05087): what most of the annotators say; 0 is a tie.

    Columns: `idx`, `instruction`, `input`, `response1`, `response2`, `annotator1` to `annotator3`, and the tasks' own.
    """
    annotators = sorted(key for key in row if key.startswith("annotator") and key[9:].isdigit())
    if not annotators:
        raise expected(row, "annotator1", "0 (tie), 1 or 2", location)
    votes: Counter[Verdict] = Counter(
        number_label(row, key, {1: "A", 2: "B", 0: "tie"}, location) for key in annotators
    )
    (label, most), *_ = votes.most_common()
    return [
        Comparison(
            id=None if row.get("idx") is None else identifier(row, "idx", location),
            conversation=conversation_of(row, "instruction", location),
            first=string(row, "response1", location),
            second=string(row, "response2", location),
            # Three annotators may say three things.
            label=label if 2 * most > len(annotators) else None,
            other_columns=columns_besides(row, ("idx", "instruction", "input", "response1", "response2")),
        )
    ]


def read_auto_j(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """Auto-J's pairwise test set (arXiv 2310.05470): `label` is 0 (first), 1 (second) or 2 (tie).

    The subset is the scenario.
    """
    return [
        Comparison(
            conversation=conversation_of(row, "prompt", location),
            first=string(row, "response 1", location),
            second=string(row, "response 2", location),
            label=number_label(row, "label", {0: "A", 1: "B", 2: "tie"}, location),
            subset=subset_of(row, "scenario"),
            other_columns=columns_besides(row, ("prompt", "response 1", "response 2", "scenario")),
        )
    ]


def read_alpaca_eval(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """AlpacaEval's and AlpacaFarm's annotations: `preference` is 1 (the first output) to 2 (the second), 1.5 a tie.

    Columns: `instruction`, `input` (AlpacaFarm), `output_1`, `output_2`, `generator_1`, `generator_2`, `preference`.
    """
    preference = as_number(row.get("preference"))
    # Weighted annotators (AlpacaEval 2) give fractions: the probability of the second output, and 1. Older files have
    # 0 for a tie; a null, or pandas' NaN, is an annotator that failed.
    missing = row.get("preference") is None or preference != preference
    if not missing and (preference is None or not (preference == 0 or 1 <= preference <= 2)):
        raise expected(row, "preference", "1 to 2, 0 or null", location)
    label: Verdict | None = None
    if not missing and preference is not None:
        label = "tie" if preference in (0, 1.5) else "A" if preference < 1.5 else "B"
    return [
        Comparison(
            conversation=conversation_of(row, "instruction", location),
            first=string(row, "output_1", location),
            second=string(row, "output_2", location),
            label=label,
            subset=subset_of(row, "dataset"),
            other_columns=columns_besides(row, ("instruction", "input", "output_1", "output_2", "dataset")),
        )
    ]


def read_arena(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """Battles of Chatbot Arena, and MT-bench's human judgments (arXiv 2306.05685); `model_a` gave answer A.

    The conversations are in `conversation_a` and `conversation_b` (chatbot_arena_conversations, MT-bench,
    arena-human-preference-100k and -140k), or `prompt`, `response_a` and `response_b` hold one text a turn, as JSON
    (arena-human-preference-55k). The winner is in `winner`, or in one of three columns that are 1 or 0.
    """
    sides: list[tuple[Message, ...]] = []
    if "conversation_a" in row:
        texts = ("conversation_a", "conversation_b")
        for key in texts:
            messages = messages_of({key: list_in_text(row, key, location)}, key, location)
            # MT-bench has both turns in every row, and `turn` says about which the people were asked.
            if (turn := as_number(row.get("turn"))) is not None and "judge" in row:
                messages = messages[: 2 * int(turn)]
            if len(messages) < 2 or messages[-1].role != "assistant":
                raise location.bad(
                    f"{key} does not end in an answer, expected a user's turn and the assistant's"
                )
            sides.append(messages)
    else:
        texts = ("prompt", "response_a", "response_b")
        prompts = _turn_texts(row, "prompt", location)
        for key in texts[1:]:
            answers = _turn_texts(row, key, location)
            if len(answers) != len(prompts):
                raise location.bad(f"{key} has {len(answers)} turns, expected {len(prompts)}, as prompt has")
            turns = zip(prompts, answers, strict=True)
            sides.append(
                tuple(
                    Message(role=role, content=text)
                    for turn in turns
                    for role, text in zip(("user", "assistant"), turn, strict=True)
                )
            )
    (*conversation, first), (*other, second) = sides
    if [(m.role, m.content) for m in conversation] != [(m.role, m.content) for m in other]:
        # From the second turn on each model goes on from its own words: no two answers to one conversation.
        raise LeftOut("several turns, in which the models' earlier answers differ")
    if "judge" in row and "turn" in row:
        # Several people judged the same two answers of MT-bench, each of whom counts.
        judged = ("question_id", "turn", "model_a", "model_b", "judge")
        battle = "/".join(str(row.get(key)) for key in judged)
    else:
        id_column = next((key for key in ("id", "question_id") if row.get(key) is not None), None)
        battle = None if id_column is None else identifier(row, id_column, location)
    return [
        Comparison(
            id=battle,
            conversation=asked(tuple(conversation), texts[0], location),
            first=first.content,
            second=second.content,
            label=_winner(row, location),
            subset=subset_of(row, "language"),
            other_columns=columns_besides(row, (*texts, "id", "question_id")),
        )
    ]


def _turn_texts(row: Row, key: str, location: RowLocation) -> list[str]:
    """One text a turn; an answer that never came is null."""
    value = row.get(key)
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [value]
    texts = list_in_text(row, key, location)
    if not texts or not all(text is None or isinstance(text, str) for text in texts):
        raise location.bad(f"{key} is not a list of texts, expected one a turn")
    return ["" if text is None else str(text) for text in texts]


def _winner(row: Row, location: RowLocation) -> Verdict:
    if "winner" in row:
        return word_label(row, "winner", location)
    won: list[Verdict] = [label for key, label in _ONE_HOT.items() if as_number(row.get(key)) == 1]
    if len(won) != 1:
        found = ", ".join(f"{key} {row.get(key)!r}" for key in _ONE_HOT)
        raise location.bad(f"{found}: expected a 1 in one of them")
    return won[0]


def _one_answer(row: Row, key: str, location: RowLocation) -> str:
    answer = answer_of(row, key, location)
    if not isinstance(answer, str):
        raise location.bad(f"{key} has {len(answer)} messages, expected one answer")
    return answer

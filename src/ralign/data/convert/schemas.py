"""The schemas that are read, by name: a row in, comparisons out. Pure.

A reader takes a parsed row and its location. It raises `BadRow` where the row is not of its schema, and `LeftOut`
where the row is as it should be and gives no pair. Columns that become a part of the pair are taken out of the row; all
others stay with the pair as they came.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple

from ralign.data.convert.chosen_rejected import (
    ChosenRejected,
    read_hh_rlhf,
    read_nectar,
    read_rewardbench2,
    read_rm_bench,
)
from ralign.data.convert.config import ConvertConfig, Format
from ralign.data.convert.labels import LabelValues, word_label
from ralign.data.convert.position import Comparison
from ralign.data.convert.row import columns_besides
from ralign.data.convert.turns import conversation_of, is_transcript
from ralign.data.convert.two_answers import (
    TwoAnswers,
    read_alpaca_eval,
    read_arena,
    read_auto_j,
    read_judgebench,
    read_llmbar,
    read_pandalm,
)
from ralign.files.pair_rows import Row, RowLocation, expected, optional_string, string
from ralign.records import Verdict

Read = Callable[[Row, RowLocation], Sequence[Comparison]]


class Schema(NamedTuple):
    """A data set's way of writing comparisons."""

    benchmark: str
    """The name that the pairs count under."""
    read: Read
    columns: frozenset[str] = frozenset()
    """By which a row is known to be of this schema: all of them are there."""
    labels: frozenset[str] = frozenset()
    """Columns that say which answer is better, and are read."""
    kept: bool = False
    """Whether the two answers have places of their own, A and B, where they stay."""
    absent: frozenset[str] = frozenset()
    """Columns that a row of this schema does not have."""
    chosen: Literal["list", "text", "transcript"] | None = None
    """What `chosen` holds, where columns alone do not tell."""

    def fits(self, row: Row) -> bool:
        """Whether a row looks like one of this schema."""
        if not self.columns <= row.keys() or self.absent & row.keys():
            return False
        chosen = row.get("chosen")
        match self.chosen:
            case None:
                return True
            case "list":
                return isinstance(chosen, list)
            case "text":
                return isinstance(chosen, str)
            case "transcript":
                return is_transcript(chosen)


def read_helpsteer3(row: Row, location: RowLocation) -> Sequence[Comparison]:
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
    label: Verdict = "tie" if overall == 0 else "A" if overall < 0 else "B"
    return [
        Comparison(
            conversation=conversation_of(row, "context", location),
            first=string(row, "response1", location),
            second=string(row, "response2", location),
            label=label,
            subset=optional_string(row, "domain", location),
            # The comments stay, with the preference from which `ralign gold` sees which response they speak of.
            other_columns=columns_besides(row, ("context", "response1", "response2")),
        )
    ]


def read_ppe(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """PPE human preference (arXiv 2410.14872); the subset is the language. For evaluation only, says its card.

    Columns: `question_id`, `model_a`, `model_b`, `winner`, `prompt`, `response_1`, `response_2`, `language`, and what
    the prompt is like (`is_code`, `hard_prompt`, `category_tag`, ...).
    """
    # Read from the data card of lmarena-ai/PPE-Human-Preference-V1 (README at e75cdc5), which gives `prompt` as a
    # string; a list of messages is taken too. No row of the original has been seen here.
    # The card does not list the values of `winner`. These are the ones that public code for this set and for its
    # parent, Chatbot Arena, compares with; `model_a` gave `response_1`.
    return [
        Comparison(
            conversation=conversation_of(row, "prompt", location),
            first=string(row, "response_1", location),
            second=string(row, "response_2", location),
            label=word_label(row, "winner", location),
            subset=optional_string(row, "language", location),
            other_columns=columns_besides(row, ("prompt", "response_1", "response_2")),
        )
    ]


def read_code_preference_pairs(row: Row, location: RowLocation) -> Sequence[Comparison]:
    """Code-Preference-Pairs: a right program against the same with a bug put in.

    Columns: `instruction`, `input` (the user's question), `accepted`, `rejected`, `ID`.
    """
    # The data card (Vezora/Code-Preference-Pairs at dffbc64, one file `Code-Preference-Pairs.jsonl`) could not be read
    # here. The columns are those that TRL's documentation on preference formats converts from this set (`input` is the
    # prompt there; `instruction` and `ID` are dropped), and that a re-upload's card lists.
    question = optional_string(row, "input", location) or ""
    if not question.strip():
        question = optional_string(row, "instruction", location) or ""
    return [
        Comparison(
            conversation=conversation_of({"input": question}, "input", location),
            first=string(row, "accepted", location),
            second=string(row, "rejected", location),
            other_columns=columns_besides(row, ("input", "accepted", "rejected")),
        )
    ]


def read_math_dpo(row: Row, location: RowLocation) -> Sequence[Comparison]:
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
    return [
        Comparison(
            conversation=conversation_of(row, "prompt", location),
            # The card does not say whether the full texts repeat the initial steps.
            first=chosen if chosen.startswith(steps) else steps + chosen,
            second=rejected if rejected.startswith(steps) else steps + rejected,
            subset=optional_string(row, "dataset", location),
            other_columns=columns_besides(row, (*texts, "dataset")),
        )
    ]


def _columns(names: str) -> frozenset[str]:
    return frozenset(names.split())


_WINNER: Final = _columns("winner")
_LABEL: Final = _columns("label")
_SCHEMAS: Final[Mapping[Format, Schema]] = {
    # The first that fits is what a file is taken for, so that the narrower stands before the wider.
    "helpsteer3": Schema(
        "HelpSteer3",
        read_helpsteer3,
        _columns("context response1 response2 overall_preference"),
        _columns("overall_preference"),
    ),
    "ppe": Schema("PPE-Preference", read_ppe, _columns("prompt response_1 response_2 winner"), _WINNER),
    "judgebench": Schema(
        "JudgeBench",
        read_judgebench,
        _columns("pair_id question response_A response_B label"),
        _LABEL,
        kept=True,
    ),
    "llmbar": Schema("LLMBar", read_llmbar, _columns("input output_1 output_2 label"), _LABEL, kept=True),
    "pandalm": Schema(
        "PandaLM",
        read_pandalm,
        _columns("instruction response1 response2 annotator1"),
        _columns("annotator1 annotator2 annotator3"),
        kept=True,
    ),
    "auto-j": Schema(
        "Auto-J", read_auto_j, frozenset({"prompt", "response 1", "response 2", "label"}), _LABEL, kept=True
    ),
    "alpaca-eval": Schema(
        "AlpacaEval",
        read_alpaca_eval,
        _columns("instruction output_1 output_2 preference"),
        _columns("preference"),
        kept=True,
    ),
    "mt-bench": Schema(
        "MT-bench",
        read_arena,
        _columns("question_id conversation_a conversation_b winner turn judge"),
        _WINNER,
        kept=True,
        # chatbot_arena_conversations has the same columns, and when each battle was.
        absent=_columns("tstamp"),
    ),
    "arena": Schema(
        "Chatbot-Arena",
        read_arena,
        _columns("model_a model_b"),
        _columns("winner winner_model_a winner_model_b winner_tie"),
        kept=True,
    ),
    "code-preference-pairs": Schema(
        "Code-Preference-Pairs", read_code_preference_pairs, _columns("input accepted rejected")
    ),
    "math-dpo": Schema("Math-DPO-10K", read_math_dpo, _columns("prompt full_chosen full_rejected")),
    "nectar": Schema("Nectar", read_nectar, _columns("prompt answers num_responses")),
    "rm-bench": Schema(
        "RM-Bench", read_rm_bench, _columns("id prompt chosen rejected domain"), chosen="list"
    ),
    "hh-rlhf": Schema(
        "HH-RLHF",
        read_hh_rlhf,
        _columns("chosen rejected"),
        absent=_columns("prompt"),
        chosen="transcript",
    ),
    "sharegpt": Schema(
        "ShareGPT", ChosenRejected(prompt="conversations").read, _columns("conversations chosen rejected")
    ),
    "ultrafeedback": Schema(
        "UltraFeedback",
        ChosenRejected(id_column=None).read,
        _columns("prompt prompt_id chosen rejected score_chosen score_rejected"),
        chosen="list",
    ),
    "orpo-mix": Schema(
        "orpo-dpo-mix",
        ChosenRejected(subset_column="source").read,
        _columns("source prompt chosen rejected question"),
        chosen="list",
    ),
    "rewardbench": Schema(
        "RewardBench",
        ChosenRejected(id_column="id", subset_column="subset").read,
        _columns("id prompt chosen rejected chosen_model rejected_model subset"),
        chosen="text",
    ),
    "skywork": Schema(
        "Skywork-Reward-Preference-80K",
        ChosenRejected(subset_column="source").read,
        _columns("source chosen rejected"),
        absent=_columns("prompt id"),
        chosen="list",
    ),
}


def schemas(config: ConvertConfig) -> dict[Format, Schema]:
    """All schemas, in the order in which a file is tried for them; the last two as the columns' flags say."""
    seeded = partial(read_rewardbench2, seed=config.seed)
    found: dict[Format, Schema] = {
        "rewardbench2": Schema(
            "RewardBench2", seeded, _columns("id prompt chosen rejected num_correct"), chosen="list"
        ),
        **_SCHEMAS,
    }
    name = config.out.name.partition(".")[0] if config.out is not None else ""
    either = ChosenRejected(
        prompt=config.prompt_column,
        chosen=config.chosen_column,
        rejected=config.rejected_column,
        id_column=config.id_column,
        subset_column=config.subset_column,
    )
    found["chosen-rejected"] = Schema(
        name, either.read, frozenset({config.chosen_column, config.rejected_column})
    )
    two = TwoAnswers(
        prompt=config.prompt_column,
        answer_a=config.answer_a_column,
        answer_b=config.answer_b_column,
        label=config.label_column,
        values=LabelValues(a=config.label_a, b=config.label_b, tie=config.label_tie),
        id_column=config.id_column,
        subset_column=config.subset_column,
    )
    columns = frozenset(
        {config.prompt_column, config.answer_a_column, config.answer_b_column, config.label_column}
    )
    found["answers"] = Schema(name, two.read, columns, frozenset({config.label_column}), kept=True)
    return found

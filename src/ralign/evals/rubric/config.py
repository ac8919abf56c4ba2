"""The flags of `ralign rubric`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.runs.options import CallOptions, JudgeModelOptions

Missing = Literal["refuse", "fail", "leave-out"]
"""The outcome of an item without an answer."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns, which differ from benchmark to benchmark."""

    column: str | None = None
    """The column of the answers. Default: `answer` where the file has it, otherwise `reference_answer`."""
    question_column: str = "question"
    """The column of the questions with the answer yes or no: a text, or a list, each asked on its own."""
    expected_column: str = "expected"
    """The column that says which of the two passes. Default of a row without it: yes."""
    rubric_column: str = "rubric"
    """The column of the rubric for a score from 1 to 10: a text, or a list of points."""
    by: str | None = None
    """A column of the items to give every figure by as well, such as `axis`."""

    # The content of the columns is compared by its digest, whatever they are called.
    OPERATIONAL: ClassVar = frozenset({"column", "question_column", "expected_column", "rubric_column", "by"})


@dataclass(frozen=True, kw_only=True)
class GradeCallOptions(CallOptions):
    """How calls are made, a grade being shorter than the judgments that other commands ask for."""

    # A subclass, because a default in an instance is lost as soon as one flag of the group is given.
    expected_completion_tokens: int = 300
    """For --dry-run: the tokens a grade is expected to have, thinking included."""


@dataclass(frozen=True)
class RubricConfig:
    """Grades of single answers: to which prompts, by what, by whom, and where they go."""

    items: tuple[str, ...]
    """Files of prompts with their criteria: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or
    Parquet. A row has `id`, one of `conversation`, `conversations` (messages) and `prompt` (a text, or messages), and
    one of --question-column and --rubric-column."""
    _: KW_ONLY
    answers: tuple[str, ...] = ()
    """Files with the policy's answers by `id`, as `ralign answers` writes them. Default: the items' rows hold them."""
    judge: Annotated[JudgeModelOptions, Parameter(name="*")] = JudgeModelOptions()
    out: Path
    """The run directory; named after the benchmark, `ralign downstream` knows it. The same command again finishes what
    is missing there."""
    columns: Annotated[Columns, Parameter(name="*")] = Columns()
    missing: Missing = "refuse"
    """What an item counts for that has no answer, because it was cut off or empty: nothing, and the run is refused
    (refuse); 0, without a call (fail); or it is left out and counted (leave-out)."""
    question_prompt: Path | None = None
    """A file with your own prompt for questions. Default: ours."""
    score_prompt: Path | None = None
    """A file with your own prompt for scores. Default: ours."""
    seed: int = 0
    """Random seed of every call."""
    calls: Annotated[GradeCallOptions, Parameter(name="*")] = GradeCallOptions()

    # No call depends on how missing answers are counted.
    OPERATIONAL: ClassVar = frozenset(
        {"items", "answers", "out", "missing", "question_prompt", "score_prompt"}
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be run by an `InputError` that names the flag."""
        if not self.items:
            raise InputError("no items file given: ralign rubric ITEMS...")

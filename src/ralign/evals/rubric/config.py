"""What `ralign rubric` can be told: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError

Missing = Literal["refuse", "fail", "leave-out"]
"""What an item without an answer counts as."""

# Fields that say where or how fast, not what is graded: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {
        "items", "answers", "out", "judge_url", "question_prompt", "score_prompt", "judge_key_variable", "by",
        "concurrency", "deadline", "try_timeout", "price", "dry_run", "expected_completion_tokens", "resamples",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns are called."""

    question: str = "question"
    passes_on: str = "expected"
    rubric: str = "rubric"
    answer: str | None = None
    """None: `answer` where any row has it, otherwise `reference_answer`."""
    group: str | None = None


@dataclass(frozen=True)
class RubricConfig:
    """Grades of single answers: to which prompts, by what, by whom, and where they go."""

    items: tuple[str, ...]
    """Files of prompts with what decides: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet.
    A row has `id`, one of `conversation`, `conversations` (messages) and `prompt` (a text, or messages), and one of
    --question-column and --rubric-column."""
    _: KW_ONLY
    answers: tuple[str, ...] = ()
    """Files with the policy's answers by `id`, as `ralign answers` writes them. Default: the items' rows hold them."""
    judge: str
    """The judge's model name at --judge-url; without a URL, a local Hugging Face model (path or hub name)."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    out: Path
    """The run directory; named after the benchmark, `ralign downstream` knows it. The same command again finishes what
    is missing there."""
    column: str | None = None
    """The column of the answers. Default: `answer` where the file has it, otherwise `reference_answer`."""
    question_column: str = "question"
    """The column of the questions with the answer yes or no: a text, or a list, each asked on its own."""
    expected_column: str = "expected"
    """The column that says which of the two passes. Default of a row without it: yes."""
    rubric_column: str = "rubric"
    """The column of the rubric for a score from 1 to 10: a text, or a list of points."""
    missing: Missing = "refuse"
    """What an item counts for that has no answer, because it was cut off or empty: nothing, and the run is refused
    (refuse); 0, without a call (fail); or it is left out and counted (leave-out)."""
    by: str | None = None
    """A column of the items to give every figure by as well, such as `axis`."""
    question_prompt: Path | None = None
    """A file with your own prompt for questions. Default: ours."""
    score_prompt: Path | None = None
    """A file with your own prompt for scores. Default: ours."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judge."""
    judge_max_tokens: int | None = 8192
    """The most tokens a grade may have, thinking included."""
    judge_body: str | None = None
    """More fields for the judge's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the judge's API key."""
    seed: int = 0
    """Seeds every call and the bootstrap."""
    concurrency: int = 64
    """Calls in flight."""
    deadline: float = 1800.0
    """Seconds one call may take in all, its retries and waits included."""
    try_timeout: float = 900.0
    """Seconds one try of a call may take."""
    price: tuple[str, ...] = ()
    """MODEL=INPUT/OUTPUT in money per million tokens."""
    expected_completion_tokens: int = 300
    """For --dry-run: the tokens a grade is expected to have, thinking included."""
    resamples: int = 10_000
    """Bootstrap resamples behind each interval."""
    dry_run: bool = False
    """Print the calls, tokens and (with --price) money the run would take, and make no call."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what was expected.
        """
        if not self.items:
            raise InputError("no items file given: ralign rubric ITEMS...")
        for flag, value in (("concurrency", self.concurrency), ("resamples", self.resamples)):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")

    def columns(self) -> Columns:
        """What the columns are called."""
        return Columns(
            question=self.question_column,
            passes_on=self.expected_column,
            rubric=self.rubric_column,
            answer=self.column,
            group=self.by,
        )

    def identity(self) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape the grades."""
        return {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}

"""What `ralign winrate` can be told: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError

Missing = Literal["refuse", "loss", "leave-out"]
"""What a prompt counts for that the first file has no answer to."""

# Fields that say where, how fast or how counted: they may differ when a run is taken up again. What the files hold is
# compared by its digest.
_OPERATIONAL = frozenset(
    {
        "answers", "reference", "column", "reference_column", "missing", "by", "out", "judge_url", "judge_prompt",
        "judge_key_variable", "concurrency", "deadline", "try_timeout", "price", "dry_run",
        "expected_completion_tokens", "resamples",
    }
)  # fmt: skip


@dataclass(frozen=True)
class WinrateConfig:
    """A contest: whose answers, against whose, who judges, and where it goes."""

    answers: str
    """The answers to measure: a JSONL or Parquet file of prompts with answers, as `ralign answers` writes it."""
    reference: str
    """The answers to compare with, to the same prompts. May be the same file, with another column."""
    _: KW_ONLY
    judge: str
    """The judge's model name at --judge-url; without a URL, a local Hugging Face model (path or hub name)."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    column: str | None = None
    """The column of the answers to measure. Default: `answer` where the file has it, otherwise `reference_answer`."""
    reference_column: str = "reference_answer"
    """The column of the answers to compare with."""
    missing: Missing = "refuse"
    """What a prompt counts for that has a reference and no answer, because it was cut off or empty: nothing, and the
    run is refused (refuse); a loss, without a call (loss); or it is left out and counted (leave-out)."""
    by: str | None = None
    """A column of the prompts to give every figure by as well, such as `category`."""
    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judge (the paper: 0.4)."""
    judge_max_tokens: int | None = 8192
    """The most tokens a judgment may have, thinking included (the paper: 8,192)."""
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
    expected_completion_tokens: int = 600
    """For --dry-run: the tokens a judgment is expected to have, thinking included."""
    resamples: int = 2_000
    """Bootstrap resamples behind each interval; each fits the regressions anew."""
    dry_run: bool = False
    """Print the calls, tokens and (with --price) money the run would take, and make no call."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what was expected.
        """
        for flag, value in (("concurrency", self.concurrency), ("resamples", self.resamples)):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")

    def identity(self) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape the judgments."""
        return {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}

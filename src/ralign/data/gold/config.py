"""What `ralign gold` can be told: one field a flag, the string under it its help, a TOML recipe the same names.

Comes in: nothing. Goes out: a frozen config, and of it the part that makes two runs the same run (`identity`).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path

from ralign.errors import InputError

# Fields that say where, how fast or how often, not what is written: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {
        "pairs", "out", "judge_url", "check_judge_url", "gold_prompt", "check_prompt", "judge_key_variable",
        "check_judge_key_variable", "draws_limit", "concurrency", "deadline", "try_timeout", "price", "dry_run",
        "expected_completion_tokens", "skip_bad_rows",
    }
)  # fmt: skip


@dataclass(frozen=True)
class GoldConfig:
    """Gold rationales: for which pairs, by which model, how checked, and where they go."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    judge: str
    """The strong model that writes, by its name at --judge-url; without a URL, a local Hugging Face model."""
    judge_url: str | None = None
    """The writer's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    check_judge: str | None = None
    """A second model that reads each draft without the label: a draft that does not lead it there is drawn again."""
    check_judge_url: str | None = None
    """The check judge's OpenAI-compatible endpoint. Default: --judge-url."""
    draws_limit: int = 4
    """Drafts a pair at most; then it is left out and listed. May be raised when a run is taken up again."""
    rewrite: bool = False
    """Write new rationales for pairs that have one. Default: those are passed on as they are, without a call."""
    gold_prompt: Path | None = None
    """A file with your own prompt for the writer. Default: ours."""
    check_prompt: Path | None = None
    """A file with your own prompt for the check judge. Default: ours."""
    judge_temperature: float | None = 0.7
    """Sampling temperature of the writer; above 0, so that another draw is another draft."""
    judge_max_tokens: int | None = 16384
    """The most tokens a draft may have, thinking included."""
    check_temperature: float | None = 0.4
    """Sampling temperature of the check judge."""
    check_max_tokens: int | None = 16384
    """The most tokens a check may have, thinking included."""
    judge_body: str | None = None
    """More fields for the writer's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    check_body: str | None = None
    """More fields for the check judge's requests, as a JSON object."""
    judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the writer's API key."""
    check_judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the check judge's API key."""
    seed: int = 0
    """Seeds every call."""
    limit: int | None = None
    """Only the first so many pairs."""
    concurrency: int = 64
    """Calls in flight to one endpoint."""
    deadline: float = 1800.0
    """Seconds one call may take in all, its retries and waits included."""
    try_timeout: float = 900.0
    """Seconds one try of a call may take."""
    price: tuple[str, ...] = ()
    """MODEL=INPUT/OUTPUT in money per million tokens; repeat for each model."""
    expected_completion_tokens: int = 1200
    """For --dry-run: the tokens an answer is expected to have, thinking included."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    dry_run: bool = False
    """Print the calls, tokens and (with --price) money the run would take, and make no call."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.pairs:
            raise InputError("no pairs file given: ralign gold PAIRS...")
        if self.check_judge is None and self.check_judge_url is not None:
            raise InputError("--check-judge-url needs --check-judge MODEL")
        for flag, value in (("draws-limit", self.draws_limit), ("concurrency", self.concurrency)):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit is {self.limit}, expected 1 or more")

    def identity(self, digests: Mapping[str, str]) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape the drafts, and the prompts' digests."""
        fields = {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}
        return {**fields, **digests}

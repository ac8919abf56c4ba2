"""What `ralign answers` can be told: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path

from ralign.errors import InputError

# Fields that say where, how fast or how often, not what is asked: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {
        "prompts", "out", "model_url", "model_key_variable", "draws_limit", "concurrency", "deadline", "try_timeout",
        "price", "dry_run", "expected_completion_tokens", "skip_bad_rows",
    }
)  # fmt: skip


@dataclass(frozen=True)
class AnswersConfig:
    """Answers to prompts: to which, by which model, how drawn, and where they go."""

    prompts: tuple[str, ...]
    """Prompt files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet. A row has `id` and
    one of `conversation`, `conversations` (messages) and `prompt` (a text, or messages)."""
    _: KW_ONLY
    model: str
    """The model that answers, by its name at --model-url; without a URL, a local Hugging Face model."""
    model_url: str | None = None
    """The model's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    column: str = "reference_answer"
    """The column that the answers go to; `ralign policy` and `ralign winrate` read this one."""
    draws_limit: int = 2
    """Answers drawn for a prompt at most: one that is cut off or empty is drawn again; then the prompt is left out and
    listed. May be raised when a run is taken up again."""
    temperature: float | None = None
    """Sampling temperature. Default: the model's own."""
    max_tokens: int | None = 16384
    """The most tokens an answer may have, thinking included."""
    model_body: str | None = None
    """More fields for the model's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    model_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the model's API key."""
    seed: int = 0
    """Seeds every call."""
    limit: int | None = None
    """Only the first so many prompts."""
    concurrency: int = 64
    """Calls in flight."""
    deadline: float = 1800.0
    """Seconds one call may take in all, its retries and waits included."""
    try_timeout: float = 900.0
    """Seconds one try of a call may take."""
    price: tuple[str, ...] = ()
    """MODEL=INPUT/OUTPUT in money per million tokens."""
    expected_completion_tokens: int = 1000
    """For --dry-run: the tokens an answer is expected to have, thinking included."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    dry_run: bool = False
    """Print the calls, tokens and (with --price) money the run would take, and make no call."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what was expected.
        """
        if not self.prompts:
            raise InputError("no prompts file given: ralign answers PROMPTS...")
        if not self.column.strip() or self.column in ("id", "conversation", "conversations", "prompt"):
            raise InputError(f"--column is {self.column!r}, expected a name that no prompt column has")
        for flag, value in (("draws-limit", self.draws_limit), ("concurrency", self.concurrency)):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit is {self.limit}, expected 1 or more")

    def identity(self) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape the answers."""
        return {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}

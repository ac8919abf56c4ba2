"""What `ralign bench` can be told: one field a flag, the string under it its help, a TOML recipe the same names.

Comes in: nothing. Goes out: a frozen config, and of it the part that makes two runs the same run (`identity`).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError
from ralign.records import Order

Orders = Literal["ab", "ba", "both"]

# Fields that say where or how fast, not what is measured: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {
        "pairs", "out", "judgments", "meta_judgments", "judge_url", "meta_judge_url", "judge_prompt", "meta_prompt",
        "judge_key_variable", "meta_judge_key_variable", "concurrency", "deadline", "try_timeout", "price", "dry_run",
        "expected_completion_tokens", "resamples", "skip_bad_rows",
    }
)  # fmt: skip


@dataclass(frozen=True)
class BenchConfig:
    """A measurement: which pairs, which judge, which meta-judge, how drawn, and where it goes."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    out: Path | None = None
    """The run directory. The same command again finishes what is missing there. Default: runs/NAME of the judge."""
    judge: str | None = None
    """The judge's model name at --judge-url; without a URL, a local Hugging Face model (path or hub name)."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    judgments: Path | None = None
    """Judgments recorded elsewhere (JSONL), instead of a judge."""
    meta_judge: str | None = None
    """The meta-judge's model name, as for --judge. Without a meta-judge only L-Acc is measured."""
    meta_judge_url: str | None = None
    """The meta-judge's OpenAI-compatible endpoint. Default: --judge-url."""
    meta_judgments: Path | None = None
    """Meta-judgments recorded elsewhere (JSONL), instead of a meta-judge."""
    orders: Orders = "ab"
    """Show the answers as in the file (ab), swapped (ba), or once each way (both)."""
    draws: int = 1
    """Judgments a pair and order."""
    meta_votes: int = 1
    """Meta-judgments a judgment; the majority counts. Odd, so that there is one."""
    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours."""
    meta_prompt: Path | None = None
    """A file with your own meta-judge prompt. Default: ours."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judge (the paper: 0.4)."""
    judge_max_tokens: int | None = 8192
    """The most tokens a judgment may have, thinking included (the paper: 8,192)."""
    meta_temperature: float | None = 0.4
    """Sampling temperature of the meta-judge (the paper: 0.4)."""
    meta_max_tokens: int | None = 16384
    """The most tokens a meta-judgment may have, thinking included (the paper: 16,384)."""
    judge_body: str | None = None
    """More fields for the judge's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    meta_body: str | None = None
    """More fields for the meta-judge's requests, as a JSON object."""
    judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the judge's API key."""
    meta_judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the meta-judge's API key."""
    seed: int = 0
    """Seeds every call and the bootstrap."""
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
    expected_completion_tokens: int = 600
    """For --dry-run: the tokens an answer is expected to have."""
    resamples: int = 10_000
    """Bootstrap resamples behind each interval."""
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
            raise InputError("no pairs file given: ralign bench PAIRS...")
        if (self.judge is None) == (self.judgments is None):
            raise InputError("give either --judge MODEL or --judgments FILE")
        if self.meta_judge is not None and self.meta_judgments is not None:
            raise InputError("give either --meta-judge MODEL or --meta-judgments FILE, not both")
        if self.meta_judge_url is not None and self.meta_judge is None:
            raise InputError("--meta-judge-url needs --meta-judge MODEL")
        if self.judge_url is not None and self.judge is None:
            raise InputError("--judge-url needs --judge MODEL")
        for flag, value in (
            ("draws", self.draws),
            ("concurrency", self.concurrency),
            ("resamples", self.resamples),
        ):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")
        if self.meta_votes < 1 or self.meta_votes % 2 == 0:
            raise InputError(
                f"--meta-votes is {self.meta_votes}, expected an odd number so that there is a majority"
            )
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit is {self.limit}, expected 1 or more")

    @property
    def order_list(self) -> tuple[Order, ...]:
        """The orders each pair is judged in."""
        return ("ab", "ba") if self.orders == "both" else (self.orders,)

    @property
    def with_meta_judge(self) -> bool:
        """Whether right judgments are meta-judged."""
        return self.meta_judge is not None or self.meta_judgments is not None

    def identity(self, digests: Mapping[str, str]) -> dict[str, object]:
        """What makes two runs the same run: the measured fields, and the digests of what their files hold."""
        fields = {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}
        return {**fields, **digests}

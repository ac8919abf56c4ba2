"""What `ralign probe` can be told: one field a flag, the string under it its help, a TOML recipe the same names.

Comes in: nothing. Goes out: a frozen config, and of it the part that makes two runs the same run (`identity`).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError
from ralign.records import Order

# Fields that say where, how fast or how exactly, not what is probed: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {"pairs", "out", "judgments", "judge_prompt", "batch", "device", "resamples", "skip_bad_rows"}
)


@dataclass(frozen=True)
class ProbeConfig:
    """Causal faithfulness: of which judge, on which pairs, and where the results go."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    judge: str
    """The judge: a local Hugging Face model, by path or hub name. Its logits are read, so no endpoint will do."""
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    judgments: Path | None = None
    """Judgments that the judge wrote before (a run's judgments.jsonl). Default: it judges the pairs now."""
    orders: Literal["ab", "ba", "both"] = "ab"
    """The orders in which the two answers are shown."""
    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judgments. The readings are of the model's own probabilities."""
    judge_max_tokens: int | None = 8192
    """The most tokens a judgment may have, thinking included."""
    seed: int = 0
    """Seeds every judgment, the choice of other pairs' rationales, and the bootstrap."""
    limit: int | None = None
    """Only the first so many pairs."""
    batch: int = 8
    """Texts that the model reads at once."""
    device: str | None = None
    """A torch device, such as cuda:1. Default: a GPU where there is one."""
    dtype: str = "auto"
    """The weights' type, such as bfloat16. Default: as they are stored."""
    resamples: int = 10_000
    """Bootstrap resamples behind each interval."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.pairs:
            raise InputError("no pairs file given: ralign probe PAIRS...")
        for flag, value in (("batch", self.batch), ("resamples", self.resamples)):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit is {self.limit}, expected 1 or more")

    @property
    def order_list(self) -> tuple[Order, ...]:
        """The orders as a judge is shown them."""
        return ("ab", "ba") if self.orders == "both" else (self.orders,)

    def identity(self, digests: Mapping[str, str]) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape what is judged and read, and the inputs' digests."""
        fields = {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}
        return {**fields, **digests}

"""The flags of `ralign probe`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ralign.errors import InputError
from ralign.records import Order
from ralign.runs.options import JudgePromptFlags, JudgePromptOptions, at_least_one


@dataclass(frozen=True)
class ProbeConfig:
    """Causal faithfulness: of which judge, on which pairs, and where the results go."""

    # Not the shared group of the judge's model: a local model has no URL, no key, no price and no deadline, and a flag
    # without an effect is a promise that is not kept.

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    judge: str
    """The judge: a local Hugging Face model, by path or hub name. Its logits are read, so no endpoint will do. Or
    python:MODULE:NAME, an object with the methods `reply` and `choice_log_probs` of ralign.models.local.LocalModel."""
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    judgments: Path | None = None
    """Judgments that the judge wrote before (a run's judgments.jsonl). Default: it judges the pairs now."""
    orders: Literal["ab", "ba", "both"] = "ab"
    """The orders in which the two answers are shown."""
    words: JudgePromptFlags = JudgePromptOptions()
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judgments. The readings are of the model's own probabilities."""
    judge_max_tokens: int | None = 8192
    """Maximum completion tokens of a judgment, thinking included."""
    seed: int = 0
    """Random seed of every judgment and of the choice of other pairs' rationales."""
    limit: int | None = None
    """So many pairs, drawn by a hash of their ids from each benchmark in proportion."""
    batch: int = 8
    """Batch size: texts that the model reads at once."""
    device: str | None = None
    """A torch device, such as cuda:1. Default: a GPU where there is one."""
    dtype: str = "auto"
    """The weights' type, such as bfloat16. Default: as they are stored."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""

    OPERATIONAL: ClassVar = frozenset({"pairs", "out", "judgments", "batch", "device", "skip_bad_rows"})

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.pairs:
            raise InputError("no pairs file given: ralign probe PAIRS...")
        at_least_one(batch=self.batch, limit=self.limit)

    @property
    def order_list(self) -> tuple[Order, ...]:
        """The orders each pair is judged in."""
        return ("ab", "ba") if self.orders == "both" else (self.orders,)

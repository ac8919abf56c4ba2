"""The flags of `ralign winrate`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ralign.runs.options import CallFlags, CallOptions, JudgeFlags, JudgeOptions

Missing = Literal["refuse", "loss", "leave-out"]
"""The outcome of a prompt that the first file has no answer to."""


@dataclass(frozen=True)
class WinrateConfig:
    """A win rate: of whose answers, against whose, by which judge, and where it goes."""

    answers: str
    """The answers to measure: a JSONL or Parquet file of prompts with answers, as `ralign answers` writes it."""
    reference: str
    """The answers to compare with, to the same prompts. May be the same file, with another column."""
    _: KW_ONLY
    judge: JudgeFlags = JudgeOptions()
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
    seed: int = 0
    """Random seed of every call."""
    calls: CallFlags = CallOptions()

    # No call depends on how missing answers are counted. The content of the files is compared by its digest.
    OPERATIONAL: ClassVar = frozenset(
        {"answers", "reference", "column", "reference_column", "missing", "by", "out"}
    )

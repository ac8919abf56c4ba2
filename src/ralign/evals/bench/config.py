"""The flags of `ralign bench`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ralign.errors import InputError
from ralign.judging import RecordedLetters
from ralign.records import Order
from ralign.runs.options import (
    CallFlags,
    CallOptions,
    JudgeFlags,
    JudgeOptions,
    MetaJudgeFlags,
    MetaJudgeOptions,
    at_least_one,
    flag,
)


@dataclass(frozen=True)
class BenchConfig:
    """A measurement: which pairs, which judge, which meta-judge, how drawn, and where it goes."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    out: Path | None = None
    """The run directory. The same command again finishes what is missing there. Default: runs/NAME of the judge."""
    judge: JudgeFlags = JudgeOptions()
    judgments: Path | None = None
    """Judgments recorded elsewhere (JSONL or Parquet, see docs/formats.md), instead of a judge. Read anew at every
    start."""
    recorded_letters: RecordedLetters = "file"
    """The letters of the verdicts in --judgments: those of the pairs file, or those shown, where B in order ba is the
    file's A."""
    meta_judge: MetaJudgeFlags = MetaJudgeOptions()
    meta_judgments: Path | None = None
    """Meta-judgments recorded elsewhere (JSONL or Parquet, see docs/formats.md), instead of a meta-judge."""
    orders: Literal["ab", "ba", "both"] = "ab"
    """Show the answers as in the file (ab), swapped (ba), or once each way (both), which measures position bias."""
    draws: int = 1
    """Judgments a pair and order."""
    meta_votes: int = 1
    """Meta-judgments a judgment; the majority counts. Odd, so that there is one."""
    seed: int = 0
    """Random seed of every call."""
    limit: int | None = None
    """So many pairs, drawn by a hash of their ids from each benchmark in proportion. A higher limit, more draws, the
    other order and more votes carry on the same run."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    detect: float | None = None
    """With --dry-run: how many prompts a difference of so many percentage points between two runs takes."""
    label_sheet: int | None = None
    """Draw so many of each benchmark's right verdicts for people to label, half called misaligned and half aligned, and
    write them into the run directory (label_sheet.jsonl and .csv), without the meta-judge's decision."""
    labels: tuple[Path, ...] = ()
    """A label sheet of this run that people filled in: S-Corr and F-Score are corrected by it. Repeat for several
    annotators, of whom the majority counts."""
    labels_from_elsewhere: Path | None = None
    """The directory of a `ralign calibrate` whose labels are of other rationales: what S-Corr would be, did sensitivity
    and specificity carry over. A sensitivity analysis, and no correction."""
    calls: CallFlags = CallOptions()

    OPERATIONAL: ClassVar = frozenset(
        {
            "pairs",
            "out",
            "judgments",
            "meta_judgments",
            "skip_bad_rows",
            "detect",
            "limit",
            "recorded_letters",
            "orders",
            "draws",
            "meta_votes",
            "label_sheet",
            "labels",
            "labels_from_elsewhere",
        }
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.pairs:
            raise InputError("no pairs file given: ralign bench PAIRS...")
        if (self.judge.judge is None) == (self.judgments is None):
            raise InputError("give either --judge MODEL or --judgments FILE")
        if self.meta_judge.meta_judge is not None and self.meta_judgments is not None:
            raise InputError("give either --meta-judge MODEL or --meta-judgments FILE, not both")
        at_least_one(draws=self.draws, limit=self.limit, label_sheet=self.label_sheet)
        if self.meta_judge.meta_judge is None and self.meta_judgments is None:
            for name in ("label_sheet", "labels", "labels_from_elsewhere"):
                if getattr(self, name):
                    raise InputError(
                        f"{flag(name)} is about a meta-judge's decisions: give --meta-judge MODEL"
                    )
        if self.detect is not None and not (self.calls.dry_run and 0 < self.detect <= 100):
            raise InputError(
                f"--detect is {self.detect:g}, expected percentage points (above 0, at most 100) beside --dry-run"
            )
        if self.meta_votes < 1 or self.meta_votes % 2 == 0:
            raise InputError(
                f"--meta-votes is {self.meta_votes}, expected an odd number so that there is a majority"
            )

    @property
    def order_list(self) -> tuple[Order, ...]:
        """The orders each pair is judged in."""
        return ("ab", "ba") if self.orders == "both" else (self.orders,)

    @property
    def run_directory(self) -> Path:
        """--out, or `runs/` and what judges: one that holds another run is refused, never written over."""
        if self.out is not None:
            return self.out
        name = self.judge.judge or (self.judgments.stem if self.judgments is not None else "")
        return Path("runs") / "".join(
            letter if letter.isalnum() or letter in "._-" else "-" for letter in name
        )

"""The flags of `ralign calibrate`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.runs.options import CallFlags, CallOptions, MetaJudgeFlags, MetaJudgeOptions, at_least_one


@dataclass(frozen=True, kw_only=True)
class LabelColumns:
    """The names of the columns, which differ from file to file."""

    label_column: str | None = None
    """The column of people's labels: true or false, or a list of them, one for each point of the gold rationale.
    Default: `aligned` where the file has it, otherwise `human_aligned`."""
    points_column: str = "gold_points"
    """The column of the texts of those points, by which a meta-judge's own list of points is matched."""
    by: tuple[str, ...] = ("subset", "judge")
    """A column to give every figure by as well; repeat for several. The judge is who wrote the rationale."""

    OPERATIONAL: ClassVar = frozenset({"label_column", "points_column", "by"})


@dataclass(frozen=True)
class CalibrateConfig:
    """A calibration: which labels, whose decisions, and where it goes."""

    labelled: tuple[str, ...] = ()
    """Files of labelled judgments: JSONL, Parquet or CSV (docs/formats.md). None is needed with --against RUN."""
    _: KW_ONLY
    columns: Annotated[LabelColumns, Parameter(name="*")] = LabelColumns()
    recorded: tuple[str, ...] = ()
    """A column with a meta-judge's decision or whole answer; repeat for several meta-judges."""
    runs: tuple[Path, ...] = ()
    """A run directory of ralign bench whose meta-judge was asked about the same judgments; repeat for several."""
    meta_judge: MetaJudgeFlags = MetaJudgeOptions()
    meta_votes: int = 1
    """Meta-judgments a judgment by --meta-judge; the majority counts. Odd, so that there is one."""
    against: str | None = None
    """Another meta-judge instead of people's labels: a run directory of ralign bench, or a column."""
    out: Path | None = None
    """The run directory: needed with --meta-judge, whose answers are recorded there, and by `ralign bench
    --labels-from-elsewhere`. The same command again finishes what is missing there."""
    seed: int = 0
    """Random seed of every call."""
    json: bool = False
    """Print everything as JSON."""
    calls: CallFlags = CallOptions()

    OPERATIONAL: ClassVar = frozenset(
        {"labelled", "recorded", "runs", "meta_votes", "against", "out", "json"}
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be measured by an `InputError` that names the flag."""
        live = self.meta_judge.meta_judge is not None
        if not (live or self.recorded or self.runs):
            raise InputError("no meta-judge: give --recorded COLUMN, --runs RUN or --meta-judge MODEL")
        if live and self.out is None:
            raise InputError("--meta-judge needs --out RUN, where its answers are recorded")
        if self.against_run is None and not self.labelled:
            raise InputError("no file of labelled judgments given: ralign calibrate LABELLED...")
        if self.against_run is not None and (self.labelled or live or self.recorded):
            raise InputError(
                f"--against {self.against} is a run, whose own judgments are taken: give --runs alone beside it"
            )
        if self.against is not None and self.columns.label_column is not None:
            raise InputError("give either --label-column or --against, not both")
        at_least_one(meta_votes=self.meta_votes)
        if self.meta_votes % 2 == 0:
            raise InputError(
                f"--meta-votes is {self.meta_votes}, expected an odd number so that there is a majority"
            )

    @property
    def against_run(self) -> Path | None:
        """The run directory that --against names; None where it names a column, or nothing."""
        return Path(self.against) if self.against is not None and Path(self.against).is_dir() else None

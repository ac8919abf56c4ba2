"""Options of `ralign convert`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError

Format = Literal[
    "detect",
    "answers",
    "chosen-rejected",
    "alpaca-eval",
    "arena",
    "auto-j",
    "code-preference-pairs",
    "helpsteer3",
    "hh-rlhf",
    "judgebench",
    "llmbar",
    "math-dpo",
    "mt-bench",
    "nectar",
    "orpo-mix",
    "pandalm",
    "ppe",
    "rewardbench",
    "rewardbench2",
    "rm-bench",
    "sharegpt",
    "skywork",
    "ultrafeedback",
]


@dataclass(frozen=True)
class ConvertConfig:
    """The sources to convert, and the file that comes of them."""

    format: Format
    """The schema of the sources; answers and chosen-rejected are any data, by the columns' flags. detect says which
    schema a file has, shows its first pair, and writes nothing."""
    sources: tuple[str, ...]
    """Files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH]; JSONL, JSON arrays, CSV (all three also .gz),
    Parquet, Arrow."""
    _: KW_ONLY
    out: Path | None = None
    """The file of pairs to write: .jsonl, .jsonl.gz or .parquet, and beside it a report of what was left out. One that
    exists is not written over."""
    seed: int = 0
    """Random seed of the positions A and B, pair by pair, whatever the order of the rows."""
    positions: Literal["kept", "drawn"] | None = None
    """Positions of the two answers: as in the data (kept), or by the seed (drawn). Default: kept where the data has an
    answer A and a B, drawn where it has a better and a worse."""
    benchmark: str | None = None
    """The benchmark that the pairs count under. Default: the data set's name, or that of --out."""
    ties: Literal["keep", "leave-out"] = "keep"
    """Pairs whose label is a tie, or that have none: order consistency is measured on them, nothing is learned."""
    leave_out: tuple[str, ...] = ()
    """Subsets to leave out, such as Ties (rewardbench2) or magpie_ultra (skywork); repeat for each."""
    limit: int | None = None
    """Only the first so many pairs."""
    prompt_column: str = "prompt"
    """For answers and chosen-rejected: the prompt, a text or messages; rows of whole conversations have none."""
    answer_a_column: str = "response_a"
    """For answers: the first answer, a text or a message."""
    answer_b_column: str = "response_b"
    """For answers: the second answer."""
    label_column: str = "label"
    """For answers: which is better, in words (A, model_b, A>B, tie), or as the next three flags say."""
    label_a: tuple[str, ...] = ()
    """For answers: values of the label that mean the first answer; repeat for each."""
    label_b: tuple[str, ...] = ()
    """For answers: values of the label that mean the second answer."""
    label_tie: tuple[str, ...] = ()
    """For answers: values of the label that mean a tie."""
    chosen_column: str = "chosen"
    """For chosen-rejected: the better answer, a text or messages."""
    rejected_column: str = "rejected"
    """For chosen-rejected: the worse answer, a text or messages."""
    id_column: str | None = None
    """For answers and chosen-rejected: the pair's id. Default: pairs are named by their content."""
    subset_column: str | None = None
    """For answers and chosen-rejected: what the pair counts under within the benchmark."""
    no_label: tuple[str, ...] = ()
    """A column that is called like a label and is none; repeat for each. Any other such column stops a conversion that
    would not read it."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.sources:
            raise InputError("no source given: ralign convert FORMAT SOURCE...")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit is {self.limit}, expected 1 or more")
        if (self.label_a or self.label_b) and not (self.label_a and self.label_b):
            raise InputError("--label-a and --label-b go together: each needs a value of the label")
        if self.format == "detect":
            if self.out is not None:
                raise InputError("--out is not for detect, which writes nothing; leave it out")
        elif self.out is None:
            raise InputError("no --out given: the file of pairs to write")
        for path in () if self.out is None else (self.out, self.report):
            if path.exists():
                raise InputError(f"{path}: exists already; choose another --out, or remove it")

    @property
    def report(self) -> Path:
        """The report beside the file of pairs: `pairs.report.json` for `pairs.jsonl.gz`."""
        assert self.out is not None, "detect writes no report"
        name = self.out.name
        for suffix in (".gz", ".jsonl", ".parquet"):
            name = name.removesuffix(suffix)
        return self.out.with_name(f"{name}.report.json")

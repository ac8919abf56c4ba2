"""Options of `ralign convert`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError

Format = Literal[
    "helpsteer3", "rewardbench2", "ppe", "skywork", "code-preference-pairs", "math-dpo", "chosen-rejected"
]


@dataclass(frozen=True)
class ConvertConfig:
    """The sources to convert, and the file that comes of them."""

    format: Format
    """The schema of the sources."""
    sources: tuple[str, ...]
    """Files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    out: Path
    """The file of pairs to write: .jsonl, .jsonl.gz or .parquet. One that exists is not written over."""
    seed: int = 0
    """Random seed of the positions A and B, pair by pair, whatever the order of the rows."""
    benchmark: str | None = None
    """The benchmark that the pairs count under. Default: the data set's name (chosen-rejected: that of --out)."""
    leave_out: tuple[str, ...] = ()
    """Subsets to leave out, such as Ties (rewardbench2) or magpie_ultra (skywork); repeat for each."""
    limit: int | None = None
    """Only the first so many pairs."""
    prompt_column: str = "prompt"
    """For chosen-rejected: the prompt, a text or messages; rows of whole conversations have none."""
    chosen_column: str = "chosen"
    """For chosen-rejected: the better answer, a text or messages."""
    rejected_column: str = "rejected"
    """For chosen-rejected: the worse answer, a text or messages."""
    id_column: str | None = None
    """For chosen-rejected: the pair's id. Default: pairs are named by their content."""
    subset_column: str | None = None
    """For chosen-rejected: what the pair counts under within the benchmark."""
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
        if self.out.exists():
            raise InputError(f"{self.out}: exists already; choose another --out, or remove it")

"""The flags of `ralign gold`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.models.model import ModelSpec, Sampling
from ralign.runs.options import CallOptions, JudgeModelOptions, at_least_one


@dataclass(frozen=True, kw_only=True)
class WriterOptions:
    """The model that writes the drafts: which, in which words, how sampled."""

    writer: str | None = None
    """The strong model that writes, by its name at --writer-url; without a URL, a local Hugging Face model, or
    python:MODULE:NAME, a function of (pair, draw) that gives the draft."""
    writer_url: str | None = None
    """The writer's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    writer_prompt: Path | None = None
    """A file with your own prompt for the writer. Default: ours."""
    writer_temperature: float | None = 0.7
    """Sampling temperature of the writer; above 0, so that another draw is another draft."""
    writer_max_tokens: int | None = 16384
    """Maximum completion tokens of a draft, thinking included."""
    writer_body: str | None = None
    """More fields for the writer's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    writer_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the writer's API key."""
    writer_header: tuple[str, ...] = ()
    """NAME=VARIABLE of a further header for the writer's endpoint, its value in an environment variable
    (api-key=AZURE_API_KEY); repeat."""
    writer_thought_tags: tuple[str, ...] = ()
    """Tags around the writer's thinking beside those that are known, opening and closing one with a space between:
    `'<scratchpad> </scratchpad>'`; repeat."""

    OPERATIONAL: ClassVar = frozenset({"writer_url", "writer_prompt", "writer_key_variable", "writer_header"})

    @property
    def spec(self) -> ModelSpec:
        """The model.

        Raises:
            InputError: none is named.
        """
        if self.writer is None:
            raise InputError("give --writer MODEL (and --writer-url URL, unless it is a local model)")
        return ModelSpec(
            name=self.writer,
            url=self.writer_url,
            key_variable=self.writer_key_variable,
            headers=tuple(self.writer_header),
            thought_tags=tuple(self.writer_thought_tags),
            flag="--writer",
            body=self.writer_body,
            body_flag="--writer-body",
        )

    @property
    def sampling(self) -> Sampling:
        """How its replies are drawn."""
        return Sampling(temperature=self.writer_temperature, max_tokens=self.writer_max_tokens)


# The two groups below are subclasses of the shared ones, because a default in an instance is lost as soon as one flag
# of the group is given.


@dataclass(frozen=True, kw_only=True)
class CheckOptions(JudgeModelOptions):
    """The judge that tests the drafts: which, in which words, how sampled."""

    judge_prompt: Path | None = None
    """A file with your own prompt for the judge. Default: ours."""

    judge: str | None = None
    """A second model that reads each draft without the label: a draft that does not lead it there is drawn again."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint. Default: --writer-url."""
    judge_max_tokens: int | None = 16384
    """Maximum completion tokens of a check, thinking included."""

    # The file may be moved: its text is in the fingerprint, by its digest.
    OPERATIONAL: ClassVar = JudgeModelOptions.OPERATIONAL | {"judge_prompt"}


@dataclass(frozen=True, kw_only=True)
class GoldCallOptions(CallOptions):
    """How calls are made, a draft being twice as long as a judgment."""

    expected_completion_tokens: int = 1200
    """For --dry-run: the tokens an answer is expected to have, thinking included."""


@dataclass(frozen=True)
class GoldConfig:
    """Gold rationales: for which pairs, by which model, how checked, and where they go."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    writer: Annotated[WriterOptions, Parameter(name="*")] = WriterOptions()
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    judge: Annotated[CheckOptions, Parameter(name="*")] = CheckOptions()
    draws_limit: int = 4
    """Drafts a pair at most; then it is left out and listed. May be raised when a run is resumed."""
    rewrite: bool = False
    """Write new rationales for pairs that have one. Default: those are passed on as they are, without a call."""
    seed: int = 0
    """Random seed of every call."""
    limit: int | None = None
    """So many pairs, drawn by a hash of their ids from each benchmark in proportion. A higher limit carries on the
    same run."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    calls: Annotated[GoldCallOptions, Parameter(name="*")] = GoldCallOptions()

    # With more draws the pairs left out are tried again, and no draft that was taken changes.
    OPERATIONAL: ClassVar = frozenset({"pairs", "out", "draws_limit", "limit", "skip_bad_rows"})

    def __post_init__(self) -> None:
        """Refuse what cannot be run by an `InputError` that names the flag."""
        if not self.pairs:
            raise InputError("no pairs file given: ralign gold PAIRS...")
        at_least_one(draws_limit=self.draws_limit, limit=self.limit)

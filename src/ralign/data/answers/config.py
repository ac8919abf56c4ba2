"""The flags of `ralign answers`: one field a flag, the string under it its help, a TOML recipe the same names."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.models.model import ModelSpec, Sampling
from ralign.runs.options import CallOptions, at_least_one


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The model that answers, and how it is sampled."""

    model: str | None = None
    """The model that answers, by its name at --model-url; without a URL, a local Hugging Face model."""
    model_url: str | None = None
    """The model's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    # None, unlike a judge's: a reference is to be what the model says when nobody steers it.
    temperature: float | None = None
    """Sampling temperature. Default: the model's own."""
    max_tokens: int | None = 16384
    """Maximum completion tokens of an answer, thinking included."""
    model_body: str | None = None
    """More fields for the model's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    model_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the model's API key."""
    model_header: tuple[str, ...] = ()
    """NAME=VARIABLE of a further header for the model's endpoint, its value in an environment variable
    (api-key=AZURE_API_KEY); repeat."""
    model_thought_tags: tuple[str, ...] = ()
    """Tags around the model's thinking beside those that are known, opening and closing one with a space between:
    `'<scratchpad> </scratchpad>'`; repeat."""

    OPERATIONAL: ClassVar = frozenset({"model_url", "model_key_variable", "model_header"})

    @property
    def spec(self) -> ModelSpec:
        """The model.

        Raises:
            InputError: none is named.
        """
        if self.model is None:
            raise InputError("give --model MODEL (and --model-url URL, unless it is a local model)")
        return ModelSpec(
            name=self.model,
            url=self.model_url,
            key_variable=self.model_key_variable,
            headers=tuple(self.model_header),
            thought_tags=tuple(self.model_thought_tags),
            flag="--model",
            body=self.model_body,
            body_flag="--model-body",
        )

    @property
    def sampling(self) -> Sampling:
        """How its replies are drawn."""
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens)


@dataclass(frozen=True, kw_only=True)
class AnswerCallOptions(CallOptions):
    """How calls are made, an answer being longer than the judgments that other commands ask for."""

    # A subclass, because a default in an instance is lost as soon as one flag of the group is given.
    expected_completion_tokens: int = 1000
    """For --dry-run: the tokens an answer is expected to have, thinking included."""


@dataclass(frozen=True)
class AnswersConfig:
    """Answers to prompts: to which, by which model, how drawn, and where they go."""

    prompts: tuple[str, ...]
    """Prompt files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet. A row has `id` and
    one of `conversation`, `conversations` (messages) and `prompt` (a text, or messages)."""
    _: KW_ONLY
    model: Annotated[ModelOptions, Parameter(name="*")] = ModelOptions()
    out: Path
    """The run directory. The same command again finishes what is missing there."""
    column: str = "reference_answer"
    """The column that the answers go to; `ralign policy` and `ralign winrate` read this one."""
    draws_limit: int = 2
    """Answers drawn for a prompt at most: one that is cut off or empty is drawn again; then the prompt is left out and
    listed. May be raised when a run is resumed."""
    seed: int = 0
    """Random seed of every call."""
    limit: int | None = None
    """So many prompts, drawn by a hash of their ids whatever the file's order. A higher limit carries on the same
    run."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    calls: Annotated[AnswerCallOptions, Parameter(name="*")] = AnswerCallOptions()

    # With more draws the prompts left out are asked again, and no recorded answer changes.
    OPERATIONAL: ClassVar = frozenset({"prompts", "out", "draws_limit", "limit", "skip_bad_rows"})

    def __post_init__(self) -> None:
        """Refuse what cannot be run by an `InputError` that names the flag."""
        if not self.prompts:
            raise InputError("no prompts file given: ralign answers PROMPTS...")
        at_least_one(draws_limit=self.draws_limit, limit=self.limit)

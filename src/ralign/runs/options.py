"""The flags that commands share, each declared once, and what a run directory remembers of them.

A config is a frozen dataclass: a field is a flag, the string under it its help, a TOML recipe has the same names. It
takes the groups below as fields with `Parameter(name="*")`, which keeps flags and recipe keys flat. `OPERATIONAL`
names the fields that say where, how fast or how counted rather than what is asked: they may differ when a run is
resumed; all others are the run's fingerprint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, cast

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.judging import Prompt, VerdictFormat, judge_prompt, verdict_format
from ralign.models.model import PYTHON, ModelSpec, Sampling
from ralign.models.python import load_python


@dataclass(frozen=True, kw_only=True)
class CallOptions:
    """How calls are made: nothing here changes what is asked."""

    concurrency: int = 64
    """Calls in flight to one endpoint."""
    deadline: float = 1800.0
    """Seconds one call may take in all, its retries and waits included."""
    try_timeout: float = 900.0
    """Seconds one try of a call may take."""
    price: tuple[str, ...] = ()
    """MODEL=INPUT/OUTPUT in money per million tokens, or MODEL=INPUT/OUTPUT/CACHED with the price of input that the
    provider reads from its cache; repeat for each model."""
    max_cost: float | None = None
    """Stop when the run has cost so much, by --price, its earlier sessions and every retry counted. Calls in flight
    still end: at most one for each connection goes beyond it. Of batches no more is handed in than would still fit if
    every answer ran to its token limit."""
    batch_api: bool = False
    """Hand the calls to the endpoint's batch API, at half the price, and wait: a day at most. Interrupted, the same
    command goes on."""
    batch_file: bool = False
    """Write the calls to files for `vllm run-batch` or a provider's page; the same command reads what came back."""
    batch_requests: int = 50_000
    """Requests in one batch at most; fewer where a provider bounds the tokens that wait."""
    expected_completion_tokens: int = 600
    """For --dry-run: the tokens an answer is expected to have, thinking included."""
    keep_going: bool = False
    """Go on where nearly no answer can be read. Default: the run stops after 20, and says what would read them."""
    ask_again: Literal["parse"] | None = None
    """parse: ask again about what could not be read before. Calls that failed are asked again in any case."""
    dry_run: bool = False
    """Print the calls, tokens and (with --price) money the run would take, and make no call."""

    OPERATIONAL: ClassVar = frozenset(
        {
            "concurrency",
            "deadline",
            "try_timeout",
            "price",
            "max_cost",
            "expected_completion_tokens",
            "keep_going",
            "ask_again",
            "dry_run",
            "batch_api",
            "batch_file",
            "batch_requests",
        }
    )

    def __post_init__(self) -> None:
        at_least_one(concurrency=self.concurrency, batch_requests=self.batch_requests)
        if self.max_cost is not None and not self.max_cost > 0:
            raise InputError(f"--max-cost is {self.max_cost}, expected more than 0")
        if self.batch_api and self.batch_file:
            raise InputError("give either --batch-api or --batch-file")

    @property
    def batch_mode(self) -> Literal["api", "file"] | None:
        """Who carries the calls in batches; None: each is a call of its own."""
        return "api" if self.batch_api else "file" if self.batch_file else None


@dataclass(frozen=True, kw_only=True)
class JudgeModelOptions:
    """The judge: which model, how sampled. Its words are the command's own."""

    judge: str | None = None
    """The judge's model name at --judge-url; without a URL, a local Hugging Face model (path or hub name), or
    python:MODULE:NAME, a function of (pair, order, draw) that gives a text or a Judgment."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judge (the paper: 0.4)."""
    judge_max_tokens: int | None = 8192
    """Maximum completion tokens of a judgment, thinking included (the paper: 8,192)."""
    judge_body: str | None = None
    """More fields for the judge's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the judge's API key."""
    judge_header: tuple[str, ...] = ()
    """NAME=VARIABLE of a further header for the judge's endpoint, its value in an environment variable
    (api-key=AZURE_API_KEY); repeat."""
    judge_thought_tags: tuple[str, ...] = ()
    """Tags around the judge's thinking beside those that are known, opening and closing one with a space between:
    `'<scratchpad> </scratchpad>'`; repeat."""

    OPERATIONAL: ClassVar = frozenset({"judge_url", "judge_key_variable", "judge_header"})

    def __post_init__(self) -> None:
        if self.judge_url is not None and self.judge is None:
            raise InputError("--judge-url needs --judge MODEL")

    @property
    def spec(self) -> ModelSpec:
        """The model.

        Raises:
            InputError: none is named.
        """
        if self.judge is None:
            raise InputError("give --judge MODEL (and --judge-url URL, unless it is a local model)")
        return ModelSpec(
            name=self.judge,
            url=self.judge_url,
            key_variable=self.judge_key_variable,
            headers=tuple(self.judge_header),
            thought_tags=tuple(self.judge_thought_tags),
            flag="--judge",
            body=self.judge_body,
            body_flag="--judge-body",
        )

    @property
    def sampling(self) -> Sampling:
        """How its replies are drawn."""
        return Sampling(temperature=self.judge_temperature, max_tokens=self.judge_max_tokens)


@dataclass(frozen=True, kw_only=True)
class JudgePromptOptions:
    """The words of a judge of two answers: those it is asked in, and those it gives its verdict in."""

    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours."""
    verdict: str = "boxed"
    """How the judge writes its verdict: boxed, rm-r1, arena-hard, mt-bench, prometheus, llmbar or json, which our
    prompt then asks for; or a regular expression with a group `(?P<verdict>...)`, for a prompt of your own."""

    # The file may be moved: its text is in the fingerprint, by its digest.
    OPERATIONAL: ClassVar = frozenset({"judge_prompt"})

    def __post_init__(self) -> None:
        # Here and not when the first answer has been paid for.
        verdict_format(self.verdict)

    @property
    def written_in(self) -> VerdictFormat:
        """The format of its verdicts."""
        return verdict_format(self.verdict)

    @property
    def prompt(self) -> Prompt:
        """Its prompt.

        Raises:
            InputError: the file cannot be used, or nothing asks for a verdict that could be read.
        """
        return judge_prompt(self.judge_prompt, self.written_in)


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(JudgeModelOptions, JudgePromptOptions):
    """The judge of two answers: which model, in which words, how sampled."""

    OPERATIONAL: ClassVar = JudgeModelOptions.OPERATIONAL | JudgePromptOptions.OPERATIONAL

    def __post_init__(self) -> None:
        JudgeModelOptions.__post_init__(self)
        JudgePromptOptions.__post_init__(self)

    @property
    def sampling(self) -> Sampling:
        """How its replies are drawn, and the JSON schema they are held to where the format has one."""
        drawn = super().sampling
        return replace(drawn, response_format=self.written_in.response_format)


@dataclass(frozen=True, kw_only=True)
class MetaJudgeOptions:
    """The meta-judge: which model, in which words, how sampled."""

    meta_judge: str | None = None
    """The meta-judge's model name, as for --judge, or python:MODULE:NAME, a function of (pair, judgment, vote) that
    gives true, false, a text or a MetaJudgment. Without one, rationales are not compared with gold's."""
    meta_judge_url: str | None = None
    """The meta-judge's OpenAI-compatible endpoint. Default: --judge-url."""
    meta_prompt: Path | None = None
    """A file with your own meta-judge prompt. Default: ours."""
    meta_temperature: float | None = 0.4
    """Sampling temperature of the meta-judge (the paper: 0.4)."""
    meta_max_tokens: int | None = 16384
    """Maximum completion tokens of a meta-judgment, thinking included (the paper: 16,384)."""
    meta_body: str | None = None
    """More fields for the meta-judge's requests, as a JSON object."""
    meta_judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the meta-judge's API key."""
    meta_judge_header: tuple[str, ...] = ()
    """NAME=VARIABLE of a further header for the meta-judge's endpoint, its value in an environment variable
    (api-key=AZURE_API_KEY); repeat."""
    meta_judge_thought_tags: tuple[str, ...] = ()
    """Tags around the meta-judge's thinking beside those that are known, opening and closing one with a space between:
    `'<scratchpad> </scratchpad>'`; repeat."""

    OPERATIONAL: ClassVar = frozenset(
        {"meta_judge_url", "meta_prompt", "meta_judge_key_variable", "meta_judge_header"}
    )

    def __post_init__(self) -> None:
        if self.meta_judge_url is not None and self.meta_judge is None:
            raise InputError("--meta-judge-url needs --meta-judge MODEL")

    def spec(self, default_url: str | None) -> ModelSpec:
        """The model, at the judge's address unless it has its own."""
        assert self.meta_judge is not None, "asked for only where there is a meta-judge"
        return ModelSpec(
            name=self.meta_judge,
            url=self.meta_judge_url,
            key_variable=self.meta_judge_key_variable,
            headers=tuple(self.meta_judge_header),
            thought_tags=tuple(self.meta_judge_thought_tags),
            flag="--meta-judge",
            body=self.meta_body,
            body_flag="--meta-body",
        ).at(default_url)

    @property
    def sampling(self) -> Sampling:
        """How its replies are drawn."""
        return Sampling(temperature=self.meta_temperature, max_tokens=self.meta_max_tokens)


@dataclass(frozen=True, kw_only=True)
class AnswerRewardOptions:
    """Reward of a policy's answer beside the judge's verdicts: sides, length, an end that never came."""

    # Literals and not the aliases of `ralign.rewards`: `ralign --help` would have to import more.
    side: Literal["both", "drawn"] = "both"
    """Position of the policy's answer: once each way (both), or once, on a side drawn by the prompt's id (drawn)."""
    length_penalty: Literal["none", "fixed", "dynamic"] = "none"
    """Length penalty on answers longer than their reference: none, --length-coefficient (fixed), or a coefficient
    steered by dual ascent so that the mean length stays near the references' (the paper: dynamic)."""
    length_coefficient: float = 0.1
    """Length-penalty coefficient: what an answer twice as long as its reference loses; where a dynamic one starts."""
    format_penalty: float = 0.5
    """Format penalty, on top of a loss, of an answer that never ends. It is not judged."""

    def __post_init__(self) -> None:
        for name in ("length_coefficient", "format_penalty"):
            if not 0 <= (value := getattr(self, name)) < float("inf"):
                raise InputError(f"{flag(name)} is {value}, expected 0 or more")


# A base class would do the same, but break the positional argument of each command; a nested default instance with
# other values than the group's own would lose them as soon as one flag of the group is given (cyclopts 5.4).
CallFlags = Annotated[CallOptions, Parameter(name="*")]
JudgeFlags = Annotated[JudgeOptions, Parameter(name="*")]
JudgePromptFlags = Annotated[JudgePromptOptions, Parameter(name="*")]
MetaJudgeFlags = Annotated[MetaJudgeOptions, Parameter(name="*")]


def at_least_one(**values: int | None) -> None:
    """Refuse counts below 1.

    Raises:
        InputError: naming the flag and what was found.
    """
    for name, value in values.items():
        if value is not None and value < 1:
            raise InputError(f"{flag(name)} is {value}, expected 1 or more")


def changed(config: object) -> set[str]:
    """Flat names of the flags that differ from their default: one at its default cannot be told from one not given."""
    found: set[str] = set()
    for each in fields(cast(Any, config)):
        value = getattr(config, each.name)
        found |= changed(value) if is_dataclass(value) else {each.name} if value != each.default else set()
    return found


def refuse_idle(config: object, only: Mapping[str, tuple[bool, Iterable[str]]]) -> None:
    """Refuse flags that would change nothing here: who gives one believes in it.

    Args:
        config: a config or a group of flags.
        only: by the condition in words, whether it is met, and the flags that have an effect only where it is.

    Raises:
        InputError: naming the flag and its condition.
    """
    given = changed(config)
    for condition, (met, names) in only.items():
        for name in names:
            if not met and name in given:
                raise InputError(
                    f"{flag(name)} is for {condition} and would change nothing here; leave it out"
                )


def flag(field: str) -> str:
    """The flag of a config's field, as an error names it."""
    return f"--{field.replace('_', '-')}"


def as_table(config: object) -> dict[str, Any]:
    """Every flag of a config by its flat name: a table of config.toml, which is a recipe as well."""
    # Flat, as the flags are: a run's config.toml can be given back as --recipe.
    table: dict[str, Any] = {}
    for name, value in _fields(config):
        table |= as_table(value) if is_dataclass(value) else {name: value}
    return table


def fingerprint(
    config: object, prompts: Mapping[str, Prompt] = MappingProxyType({}), **digests: str
) -> dict[str, Any]:
    """The part of a config that makes two runs the same run.

    Args:
        config: its fields but the operational ones.
        prompts: by role, the prompts in use; their digests stand for the files that hold them.
        digests: of what the input files hold.
    """
    # Group by group and not over the flat table: each group names its own operational fields.
    found: dict[str, Any] = {}
    for name, value in _fields(config):
        if is_dataclass(value):
            found |= fingerprint(value)
        elif name not in getattr(config, "OPERATIONAL", ()):
            found[name] = value
        # Not only where no operational field: whatever asks a function, its code is part of what is asked.
        if isinstance(value, str) and value.startswith(PYTHON):
            found[f"{name}_code"] = load_python(value).version
    return {
        **found,
        **{f"{role}_prompt_digest": prompt.digest for role, prompt in prompts.items()},
        **digests,
    }


def _fields(config: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(config, field.name)) for field in fields(config)]

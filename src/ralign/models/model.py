"""The protocol of a chat model: messages in, one reply out. Endpoint, local and scripted model all follow it.

Below it what a model's tokens cost: `--price MODEL=INPUT/OUTPUT[/CACHED]`, in money per million tokens.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from ralign.errors import CallFailed, InputError
from ralign.records import Message, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters of a reply. None leaves the choice to the model."""

    temperature: float | None = None
    max_tokens: int | None = None
    """Maximum number of new tokens, thinking included."""
    response_format: str | None = None
    """The `response_format` that an endpoint is asked for, as JSON; a model that does not take it is asked without."""


class Request(NamedTuple):
    """One call to a chat model, before it is made."""

    messages: Sequence[Message]
    sampling: Sampling
    seed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a chat model."""

    text: str
    """The final answer only."""
    thinking: str | None = None
    """The reasoning before it: `reasoning_content`, or what `ralign.thinking` finds in the text."""
    finish_reason: str | None = None
    """`stop`, `length` where a token limit cut the reply off, `content_filter`; None where the server says nothing."""
    model: str | None = None
    """The model's name as the answer states it."""
    usage: Usage = field(default_factory=Usage)
    """Of the whole call, tries included that gave no reply and were paid for."""


class ChatModel(Protocol):
    """Anything that answers a list of messages."""

    @property
    def name(self) -> str:
        """The model's name, as a recipe or a flag gives it."""
        ...

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        """Answer the messages once.

        Many calls may be in flight at once; the model bounds its own concurrency.

        Raises:
            CallFailed: this call failed for good; the caller records it and goes on.
            EndpointRefused: no call can succeed; the caller stops.
        """
        ...


async def reply_or_failure(model: ChatModel, request: Request) -> Reply | CallFailed:
    """A model's reply, or how the call failed: a failure is data.

    Raises:
        EndpointRefused: no call can succeed.
    """
    try:
        return await model.reply(request.messages, request.sampling, seed=request.seed)
    except CallFailed as error:
        return error


PYTHON = "python:"
"""Prefix of a model's name that means a Python function (`ralign.models.python`)."""

LoadLocalModel = Callable[[str], ChatModel]
"""Loads a model on this machine by path or hub name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model that a run asks."""

    name: str
    url: str | None
    """Its endpoint; None: a model on this machine, or a Python function."""
    key_variable: str
    body: str | None = None
    """More fields for its requests, as a JSON object."""
    headers: tuple[str, ...] = ()
    """NAME=VARIABLE of further headers: the values are in the environment."""
    thought_tags: tuple[str, ...] = ()
    """Further tags of its thinking, each as `OPENER CLOSER`."""
    flag: str = "-"
    """How the model's flags begin, for errors about them: `--judge`."""
    body_flag: str = "--body"
    """The flag that errors about `body` name."""

    def __post_init__(self) -> None:
        if self.is_python and (
            self.url is not None or self.body is not None or self.headers or self.thought_tags
        ):
            raise InputError(
                f"{self.name} is a Python function, which has no URL, no headers and no tags and takes no "
                f"{self.body_flag}: leave them out"
            )

    @property
    def is_python(self) -> bool:
        """Whether a Python function stands in the model's place."""
        return self.name.startswith(PYTHON)

    def at(self, url: str | None) -> "ModelSpec":
        """The same model at this URL, unless it has one of its own or is a Python function."""
        return self if self.url is not None or self.is_python else replace(self, url=url)


BATCH_DISCOUNT = 0.5
"""The share of the price that a call costs less in a batch (OpenAI, Azure, Groq, Together, ...)."""

CHARACTERS_PER_TOKEN = 4
"""For forecasts of a run. English prose with today's tokenizers; code and other scripts have fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Money per million tokens, in whatever currency the user counts in."""

    input: float
    output: float
    cached: float | None = None
    """Of prompt tokens read from the provider's cache; None: as `input`."""

    def of(self, usage: Usage) -> float:
        """The cost of these tokens."""
        cached = self.input if self.cached is None else self.cached
        fresh = usage.prompt_tokens - usage.cached_tokens
        return (
            fresh * self.input + usage.cached_tokens * cached + usage.completion_tokens * self.output
        ) / 1_000_000

    @property
    def in_batches(self) -> "Price":
        """The price of the same tokens in a batch."""
        share = 1 - BATCH_DISCOUNT
        cached = None if self.cached is None else self.cached * share
        return Price(input=self.input * share, output=self.output * share, cached=cached)


@dataclass(slots=True)
class Budget:
    """A cap on the money of one run, all its models together. What is spent is counted try by try."""

    limit: float = float("inf")
    spent: float = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether no further try may begin. Those in flight still end, and are paid for."""
        return self.spent >= self.limit


class Expected(NamedTuple):
    """The calls and tokens that one stage of a run still takes."""

    calls: int
    usage: Usage
    price: Price | None

    @property
    def money(self) -> float | None:
        """Their cost; None without a price."""
        return None if self.price is None else self.price.of(self.usage)


def parse_prices(flags: Iterable[str]) -> dict[str, Price]:
    """Prices by model name.

    Raises:
        InputError: a flag that is not MODEL=INPUT/OUTPUT or MODEL=INPUT/OUTPUT/CACHED.
    """
    prices: dict[str, Price] = {}
    for flag in flags:
        model, equals, amounts = flag.rpartition("=")
        # From the right: a model's name may hold an equals sign, and prices never do.
        try:
            found = [float(amount) for amount in amounts.split("/")]
        except ValueError:
            found = []
        # Written so that NaN, which no comparison holds for, is refused too.
        if not (equals and model and len(found) in (2, 3) and all(amount >= 0 for amount in found)):
            raise InputError(
                f"--price is {flag!r}, expected MODEL=INPUT/OUTPUT per million tokens, as in m=0.25/2, or "
                "MODEL=INPUT/OUTPUT/CACHED with the price of cached input"
            )
        prices[model] = Price(input=found[0], output=found[1], cached=found[2] if len(found) == 3 else None)
    return prices

"""What the model made of a rationale: how likely each verdict was to come next. With its log, `readings.jsonl`.

One line a reading: `{"pair_id", "benchmark", "order", "version", "log_prob_a", "log_prob_b", "failure"}`, the
letters those of the pairs file, whatever the order shown; both null where the call failed.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

import orjson

from ralign.errors import BadRow
from ralign.evals.probe.interventions import VERSIONS, Version, Written
from ralign.judging import Prompt, shown_responses
from ralign.models import ChatModel
from ralign.records import Message, Order, PreferencePair

BOXES = ("\\boxed{A}", "\\boxed{B}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How likely a judge was to give each verdict right after one version of its rationale."""

    pair_id: str
    benchmark: str
    order: Order
    version: Version
    log_prob_a: float | None = None
    """Of verdict A in the letters of the pairs file; None where the call failed."""
    log_prob_b: float | None = None
    failure: str | None = None
    """`call` where the model could not read it."""
    detail: str | None = None

    @property
    def chance_of_a(self) -> float:
        """The probability of A among the two; NaN where the call failed."""
        if self.log_prob_a is None or self.log_prob_b is None:
            return math.nan
        return 1 / (1 + math.exp(min(self.log_prob_b - self.log_prob_a, 700.0)))

    @property
    def mass(self) -> float:
        """The probability of either; small where the model would have written something else there."""
        if self.log_prob_a is None or self.log_prob_b is None:
            return math.nan
        return math.exp(self.log_prob_a) + math.exp(self.log_prob_b)


class Reader(Protocol):
    """Anything that says how likely a judge is to give each verdict after what it has written."""

    async def read(self, pair: PreferencePair, order: Order, written: Written) -> tuple[float, float]:
        """The log-probabilities of verdict A and of verdict B, in the letters of the pairs file.

        Raises:
            CallFailed: this text cannot be read.
            EndpointRefused: no text can be read.
        """
        ...


class ChoosingModel(ChatModel, Protocol):
    """A chat model that says how likely it is to go on with each of several continuations."""

    async def choice_log_probs(
        self,
        messages: tuple[Message, ...],
        text: str,
        continuations: tuple[str, ...],
        *,
        thinking: str | None = None,
    ) -> tuple[float, ...]:
        """The log-probability of each; `text` is what the model had written, `thinking` what it had thought.

        Raises:
            CallFailed: the texts do not fit into the model's context.
            EndpointRefused: no call can succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReader:
    """The judge's own model, asked with the judge's own prompt."""

    model: ChoosingModel
    prompt: Prompt

    async def read(self, pair: PreferencePair, order: Order, written: Written) -> tuple[float, float]:
        """See `Reader`."""
        first, second = shown_responses(pair, order)
        messages = self.prompt.render(pair.conversation, {"response_a": first, "response_b": second})
        shown_a, shown_b = await self.model.choice_log_probs(
            messages, written.text, BOXES, thinking=written.thinking
        )
        return (shown_a, shown_b) if order == "ab" else (shown_b, shown_a)


def encode_reading(reading: Reading) -> bytes:
    """The reading as one line, without a newline."""
    row = {name: value for name, value in asdict(reading).items() if value is not None}
    return orjson.dumps({"log_prob_a": None, "log_prob_b": None, "failure": None} | row)


def decode_reading(data: bytes, path: str, line: int) -> Reading:
    """The reading in one line of our own log.

    Raises:
        BadRow: the line is not one that `encode_reading` wrote.
    """
    try:
        row: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRow(path, line, f"not JSON: {error}") from None
    if not isinstance(row, dict) or cast("Mapping[str, object]", row).get("version") not in VERSIONS:
        raise BadRow(path, line, "no reading of a rationale, expected an object with a version")
    try:
        return Reading(**cast("dict[str, Any]", row))
    except TypeError as error:
        raise BadRow(path, line, f"no reading of a rationale: {error}") from None

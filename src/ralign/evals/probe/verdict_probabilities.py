"""A judge's probability of each verdict right after one version of its rationale: a call, and the record of it."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from ralign.errors import CallFailed
from ralign.evals.probe.interventions import Version, Written
from ralign.judging import BOXED, Prompt, VerdictFormat, shown_responses
from ralign.models import ChatModel
from ralign.records import Answered, Message, Order, PreferencePair

# exp overflows a float above 709; a letter that much likelier than the other has all the probability anyway.
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Answered):
    """The log-probability of each verdict right after one version of a rationale; both None where the call failed."""

    OUTCOME: ClassVar[str] = "log_prob_a"

    pair_id: str
    benchmark: str = ""
    order: Order = "ab"
    version: Version
    text_digest: str = ""
    """Digest of the text that was read (`Written.digest`); a probe sets it."""
    log_prob_a: float | None = None
    """Of verdict A in the letters of the pairs file, whatever the order shown."""
    log_prob_b: float | None = None

    @property
    def prob_a(self) -> float:
        """The probability of A among the two; NaN where the call failed."""
        if self.log_prob_a is None or self.log_prob_b is None:
            return math.nan
        return 1 / (1 + math.exp(min(self.log_prob_b - self.log_prob_a, _LARGEST_EXPONENT)))

    @property
    def mass(self) -> float:
        """The probability of either; small where the model would have written something else there."""
        if self.log_prob_a is None or self.log_prob_b is None:
            return math.nan
        return math.exp(self.log_prob_a) + math.exp(self.log_prob_b)


class Reader(Protocol):
    """Anything that gives the probabilities of a judge's verdicts after a text of its own."""

    async def read(self, pair: PreferencePair, order: Order, version: Version, written: Written) -> Reading:
        """Read one version of a rationale. A failure is in the reading, not raised.

        Raises:
            EndpointRefused: no text can be read.
        """
        ...


class ChoosingModel(ChatModel, Protocol):
    """A chat model that gives the probability of going on with each of several continuations."""

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
    written_in: VerdictFormat = BOXED

    async def read(self, pair: PreferencePair, order: Order, version: Version, written: Written) -> Reading:
        """See `Reader`."""
        first, second = shown_responses(pair, order)
        messages = self.prompt.render(pair.conversation, {"response_a": first, "response_b": second})
        reading = Reading(
            pair_id=pair.id, benchmark=pair.benchmark, order=order, version=version, model=self.model.name
        )
        # The model's own words for its verdict. They differ in one letter, whose probability is the reading.
        words = self.written_in.written
        assert words is not None, "the command refuses a format that nobody can write"
        try:
            shown_a, shown_b = await self.model.choice_log_probs(
                messages, written.text, words, thinking=written.thinking
            )
        except CallFailed as error:
            return replace(reading, failure="call", detail=str(error))
        # The judge calls the answer it is shown first A.
        log_prob_a, log_prob_b = (shown_a, shown_b) if order == "ab" else (shown_b, shown_a)
        return replace(reading, log_prob_a=log_prob_a, log_prob_b=log_prob_b)

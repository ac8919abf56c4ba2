"""One answer to a prompt: what a model says, and whether it can be compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ralign.data.prompts import PolicyPrompt
from ralign.errors import CallFailed
from ralign.judging import CUT_OFF, call_seed
from ralign.models import ChatModel, Sampling
from ralign.records import Usage

Problem = Literal["cut_off", "empty"]
"""Why an answer cannot be compared with: it ran into a limit, or says nothing after its thinking."""

PROBLEMS: Sequence[Problem] = ("cut_off", "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered to one prompt."""

    prompt_id: str
    draw: int = 0
    text: str = ""
    """The answer as it came, without the thinking part."""
    thinking: str | None = None
    failure: Literal["call"] | None = None
    """`call`: no answer came back."""
    detail: str | None = None
    """Where there is a failure: what happened, in one line."""
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None

    @property
    def problem(self) -> Problem | None:
        """What is wrong with an answer that came back; None where it can be compared with."""
        if self.finish_reason in CUT_OFF:
            return "cut_off"
        return None if self.text.strip() else "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """A chat model that is asked each prompt as it stands."""

    model: ChatModel
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the prompt and the draw."""

    async def answer(self, prompt: PolicyPrompt, draw: int) -> Answer:
        """Ask the model once. An outage is an answer with `failure="call"`.

        Raises:
            EndpointRefused: no call can succeed.
        """
        seed = call_seed(self.seed, "answer", prompt.id, draw)
        try:
            reply = await self.model.reply(prompt.conversation, self.sampling, seed=seed)
        except CallFailed as error:
            return Answer(prompt_id=prompt.id, draw=draw, failure="call", detail=str(error))
        return Answer(
            prompt_id=prompt.id,
            draw=draw,
            text=reply.text,
            thinking=reply.thinking,
            model=reply.model,
            finish_reason=reply.finish_reason,
            usage=reply.usage,
        )

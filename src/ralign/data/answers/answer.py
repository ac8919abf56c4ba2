"""One answer to a prompt: how a model is asked for it, and whether it can be compared with. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ralign.data.prompts import PolicyPrompt
from ralign.errors import CallFailed
from ralign.judging import call_seed
from ralign.models.finish_reason import unfinished
from ralign.models.model import Reply, Request, Sampling
from ralign.records import Answered

Problem = Literal["cut_off", "empty"]
"""Why an answer cannot be compared with: it ran into a limit, or says nothing after its thinking."""

PROBLEMS: Sequence[Problem] = ("cut_off", "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Answered):
    """A model's answer to one prompt. An empty one is an answer, not a failure: `problem` names it."""

    prompt_id: str
    draw: int = 0

    @property
    def problem(self) -> Problem | None:
        """Why an answer that came back cannot be compared with; None where it can."""
        # Before the text: a model that is cut off while it thinks leaves no text, and the limit is the reason.
        if unfinished(self.finish_reason) is not None:
            return "cut_off"
        return None if self.text.strip() else "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCalls:
    """The calls that bring the answers: each prompt is sent as it stands, without instructions of ours."""

    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the prompt and the draw."""

    def request(self, prompt: PolicyPrompt, draw: int) -> Request:
        """The messages of one draw, under a seed of its own: another draw is to be another answer."""
        return Request(prompt.conversation, self.sampling, call_seed(self.seed, "answer", prompt.id, draw))

    def read(self, answer: Reply | CallFailed, prompt: PolicyPrompt, draw: int) -> Answer:
        """The answer in a reply; `failure="call"` where there was none."""
        if isinstance(answer, CallFailed):
            return Answer(
                prompt_id=prompt.id,
                draw=draw,
                failure="call",
                failure_reason=answer.reason,
                detail=str(answer),
            )
        return Answer(
            prompt_id=prompt.id,
            draw=draw,
            text=answer.text,
            thinking=answer.thinking,
            model=answer.model,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
        )

"""A judge of single answers: an item in, a grade for each of its criteria out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ralign.errors import CallFailed
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.parse import HIGHEST, LOWEST, Kind, parse_grade
from ralign.judging import Prompt, PromptKind, call_seed
from ralign.models import ChatModel, Sampling
from ralign.records import Failure, Usage

QUESTION_PROMPT = PromptKind(
    name="question prompt",
    texts=frozenset({"answer", "criterion"}),
    required=("conversation", "answer", "criterion"),
    changing=frozenset({"criterion"}),
    default=Path(__file__).with_name("question_prompt.txt"),
)
"""`{criterion}` is the question."""

SCORE_PROMPT = PromptKind(
    name="score prompt",
    texts=frozenset({"answer", "criterion"}),
    required=("conversation", "answer", "criterion"),
    default=Path(__file__).with_name("score_prompt.txt"),
)
"""`{criterion}` is the rubric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What a judge says of one answer by one criterion."""

    item_id: str
    criterion: int
    """Which of the item's, from 0."""
    value: float | None = None
    """From 0 to 1: 1 where the question's answer passes, or (score - 1) / 9. None: no grade."""
    score: int | None = None
    """From 1 to 10, where it is one."""
    text: str = ""
    thinking: str | None = None
    failure: Failure | None = None
    detail: str | None = None
    """Where there is a failure: what happened, in one line."""
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None


class RubricJudge(Protocol):
    """Anything that grades an answer."""

    async def grade(self, item: RubricItem, criterion: int) -> Grade:
        """Grade by one of the item's criteria. A failure is in the grade, not raised.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRubricJudge:
    """A chat model that is asked with a prompt for each kind."""

    model: ChatModel
    question_prompt: Prompt
    score_prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it, the item and the criterion."""

    async def grade(self, item: RubricItem, criterion: int) -> Grade:
        """Ask the model once. An outage is a grade with `failure="call"`, an unreadable answer `"parse"`.

        Raises:
            EndpointRefused: no call can succeed.
        """
        prompt = self.question_prompt if item.kind == "question" else self.score_prompt
        messages = prompt.render(item.conversation, prompt_values(item, criterion))
        seed = call_seed(self.seed, "rubric", item.id, criterion)
        try:
            reply = await self.model.reply(messages, self.sampling, seed=seed)
        except CallFailed as error:
            return Grade(item_id=item.id, criterion=criterion, failure="call", detail=str(error))
        found, problem = parse_grade(reply.text, item.kind, reply.finish_reason)
        return Grade(
            item_id=item.id,
            criterion=criterion,
            value=None if found is None else share(item.kind, found, passes_on=item.passes_on),
            score=found if item.kind == "score" else None,
            text=reply.text,
            thinking=reply.thinking,
            failure="parse" if problem else None,
            detail=problem,
            model=reply.model,
            finish_reason=reply.finish_reason,
            usage=reply.usage,
        )


def prompt_values(item: RubricItem, criterion: int) -> dict[str, str]:
    """The value of every placeholder but `conversation` and `nonce`."""
    return {"answer": item.answer, "criterion": item.criteria[criterion]}


def share(kind: Kind, found: int, *, passes_on: bool) -> float:
    """What was found, from 0 to 1."""
    if kind == "question":
        return float(bool(found) == passes_on)
    return (found - LOWEST) / (HIGHEST - LOWEST)

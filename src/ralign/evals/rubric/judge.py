"""A judge of single answers: an item in, a grade for each of its criteria out."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ralign.errors import CallFailed
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.parse import HIGHEST, LOWEST, parse_grade
from ralign.judging import Prompt, PromptKind, call_seed, unread_reason
from ralign.models.model import Reply, Request, Sampling
from ralign.records import Answered

QUESTION_PROMPT = PromptKind(
    name="question prompt",
    texts=frozenset({"answer", "criterion"}),
    required=("conversation", "answer", "criterion"),
    # The questions of an item share all that comes before: an endpoint's prefix cache then serves it.
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
class Grade(Answered):
    """A judge's answer about one answer by one criterion."""

    OUTCOME: ClassVar[str] = "value"

    item_id: str
    criterion: int = 0
    """Which of the item's, from 0."""
    value: float | None = None
    """From 0 to 1: 1 where the question's answer passes, or (score - 1) / 9. None: no grade."""
    score: int | None = None
    """From 1 to 10, where it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeCalls:
    """The calls of a judge that is a chat model, with a prompt for each kind of item. Pure."""

    question_prompt: Prompt
    score_prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it, the item and the criterion."""

    def request(self, item: RubricItem, criterion: int) -> Request:
        """The messages of one grade."""
        prompt = self.question_prompt if item.kind == "question" else self.score_prompt
        return Request(
            prompt.render(item.conversation, {"answer": item.answer, "criterion": item.criteria[criterion]}),
            self.sampling,
            call_seed(self.seed, "rubric", item.id, criterion),
        )

    def read(self, answer: Reply | CallFailed, item: RubricItem, criterion: int) -> Grade:
        """The grade in a reply: `failure="call"` where there was no reply, `"parse"` where it gives no grade."""
        if isinstance(answer, CallFailed):
            return Grade(
                item_id=item.id,
                criterion=criterion,
                failure="call",
                failure_reason=answer.reason,
                detail=str(answer),
            )
        found, problem = parse_grade(answer.text, item.kind, answer.finish_reason)
        value: float | None = None
        if found is not None:
            # A question may pass on no: the answer that passes is the item's, and never the judge's, to say.
            passes = float(bool(found) == item.passes_on)
            value = passes if item.kind == "question" else (found - LOWEST) / (HIGHEST - LOWEST)
        return Grade(
            item_id=item.id,
            criterion=criterion,
            value=value,
            score=found if item.kind == "score" else None,
            text=answer.text,
            thinking=answer.thinking,
            failure="parse" if problem else None,
            failure_reason=unread_reason(answer.finish_reason) if problem else None,
            detail=problem,
            model=answer.model,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
        )

"""OpenRLHF's format: its three lists -> our reward requests; our rewards -> its numbers.

Its client (0.11, `openrlhf/utils/agent.py`) posts one answer at a time, as the decoded prompt and answer together.
It tries five times, a second apart, and a reward that it does not get ends the training later, far from the cause.
So every answer here is a number. Where the judge gave none it is a fallback, and `extra_logs` says so.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter, ValidationError

from ralign.serving.schemas import OpenRlhfResponse, RewardRequest, RewardResponse

FALLBACK = 0.0
"""Reward where there is none: a draw, halfway between a win and a loss."""

_REQUEST = TypeAdapter(RewardRequest)
# Special tokens of the chat templates in use: ChatML, Llama 3, DeepSeek (full-width bars), Mistral, Gemma.
_ENDS_OF_TURN = re.compile(
    r"(?:\s*(?:<\|[\w ▁-]{1,40}[|｜]>|<｜[^｜<>]{1,40}｜>|</s>|<eos>|<end_of_turn>|<turn\|>))+\s*$"
)
# Characters of a prompt's end that are enough to find it by, where it has lost its beginning.
_OVERLAP = 64


class Unusable(NamedTuple):
    """Why an answer cannot be judged."""

    reason: str


def to_request(
    query: str, prompt: str | None, label: str | Mapping[str, Any] | None
) -> RewardRequest | Unusable:
    """One answer of OpenRLHF's lists.

    Args:
        query: prompt and answer, decoded together.
        prompt: the prompt alone, with its chat template.
        label: a JSON object with `reference_answer`; `conversation` where the judge is to see clean turns instead of
            the prompt with its template; `id`; `finish_reason`.
    """
    side: object = label
    if isinstance(label, str):
        try:
            side = json.loads(label)
        except (json.JSONDecodeError, RecursionError):
            return Unusable("the label is not JSON")
    if not isinstance(side, Mapping):
        return Unusable("the label is not a JSON object")
    side = cast("Mapping[str, Any]", side)
    answer = None if prompt is None else answer_of(query, prompt)
    if prompt is None or answer is None:
        return Unusable("the query does not contain its prompt")
    if not isinstance(side.get("reference_answer"), str):
        return Unusable("the label has no reference_answer")
    # A data set's ids may be numbers.
    name = side.get("id")
    try:
        return _REQUEST.validate_python(
            {
                "conversation": side.get("conversation", ({"role": "user", "content": prompt},)),
                "answer": answer,
                "reference_answer": side["reference_answer"],
                "id": None if name is None else str(name),
                "finish_reason": side.get("finish_reason"),
            }
        )
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        return Unusable(f"the label cannot be used: {place}: {error.errors()[0]['msg']}")


def answer_of(query: str, prompt: str) -> str | None:
    """The answer alone, without the prompt and the tokens that end a turn; None where the prompt is not in the query.

    Decoding is not always the inverse of encoding: a token may have been put in front, and a prompt that was too
    long has lost its beginning. Its last characters then still stand before the answer.
    """
    if not prompt:
        return None
    _, found, answer = query.partition(prompt)
    if not found and len(prompt) > _OVERLAP:
        _, found, answer = query.partition(prompt[-_OVERLAP:])
    return _ENDS_OF_TURN.sub("", answer) if found else None


def to_response(rewards: Sequence[RewardResponse | Unusable]) -> OpenRlhfResponse:
    """Numbers for every answer. `judge_ok` is the share that is no fallback."""
    scored = [each for each in rewards if isinstance(each, RewardResponse) and each.reward is not None]
    judged = [each for each in scored if len(each.verdicts) == 2]
    disagreed = [each for each in judged if len(set(each.verdicts.values())) == 2]
    count = max(len(rewards), 1)
    # Dynamic filtering drops groups by these scores, from 0 to 1: a fallback stands halfway there too.
    scores = (None if isinstance(each, Unusable) else each.score for each in rewards)
    return OpenRlhfResponse(
        rewards=tuple(
            FALLBACK if isinstance(each, Unusable) or each.reward is None else each.reward for each in rewards
        ),
        scores=tuple((1.0 + (FALLBACK if score is None else score)) / 2 for score in scores),
        extra_logs={
            # The same keys whatever happened: OpenRLHF concatenates them over the batch.
            "judge_ok": len(scored) / count,
            "length_penalty": sum(each.length_penalty for each in scored) / count,
            "format_penalty": sum(each.format_penalty for each in scored) / count,
            "order_disagreement": len(disagreed) / count,
        },
    )

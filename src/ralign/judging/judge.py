"""A judge: a preference pair in, a judgment out (the paper's (o, l-hat), section 2).

Where we differ from the authors' scripts: either order can be shown, the seed is set for every call, an
answer that the token limit cut off gives no verdict, and a failure is recorded as one rather than counted as
wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from ralign.errors import CallFailed
from ralign.judging.parse import parse_verdict
from ralign.judging.prompt import Prompt, PromptKind
from ralign.models.model import ChatModel, Reply, Sampling
from ralign.records import Judgment, Message, Order, PreferencePair, Verdict, opposite

JUDGE_PROMPT = PromptKind(
    name="judge prompt",
    texts=frozenset({"response_a", "response_b"}),
    required=("conversation", "response_a", "response_b"),
    default=Path(__file__).with_name("judge_prompt.txt"),
)
"""`{response_a}` is the answer shown first, which the judge is to call A, whatever the pairs file calls
it."""


class Judge(Protocol):
    """Anything that judges a pair: a chat model with a prompt, recorded judgments, a trained model."""

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Judge the pair in the given order. A failure is in the judgment, not raised.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatJudge:
    """A chat model that is asked with a prompt."""

    model: ChatModel
    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the pair, the order and the draw."""

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Ask the model once. An outage is a judgment with `failure="call"`, an unreadable answer `"parse"`.

        Raises:
            EndpointRefused: no call can succeed.
        """
        first, second = shown_responses(pair, order)
        messages = self.prompt.render(pair.conversation, {"response_a": first, "response_b": second})
        seed = call_seed(self.seed, "judge", pair.benchmark, pair.id, order, draw)
        return await ask_for_judgment(
            self.model, messages, self.sampling, seed=seed, pair=pair, order=order, draw=draw
        )


async def ask_for_judgment(
    model: ChatModel,
    messages: Sequence[Message],
    sampling: Sampling,
    *,
    seed: int,
    pair: PreferencePair,
    order: Order,
    draw: int,
) -> Judgment:
    """Ask a model once for a rationale and a verdict on a pair, and read what it says.

    An outage is a judgment with `failure="call"`, an unreadable answer one with `failure="parse"`.

    Raises:
        EndpointRefused: no call can succeed.
    """
    try:
        reply = await model.reply(messages, sampling, seed=seed)
    except CallFailed as error:
        asked = Judgment(pair_id=pair.id, benchmark=pair.benchmark, order=order, draw=draw)
        return replace(asked, failure="call", detail=str(error))
    return read_judgment(reply, pair=pair, order=order, draw=draw)


def read_judgment(reply: Reply, *, pair: PreferencePair, order: Order, draw: int = 0) -> Judgment:
    """The judgment in a reply about a pair shown in this order; `failure="parse"` where it gives no verdict. Pure."""
    rationale, verdict, problem = parse_verdict(reply.text, reply.finish_reason)
    return Judgment(
        pair_id=pair.id,
        benchmark=pair.benchmark,
        order=order,
        draw=draw,
        text=reply.text,
        thinking=reply.thinking,
        rationale=rationale,
        verdict=in_pair_letters(verdict, order) if verdict else None,
        failure="parse" if problem else None,
        detail=problem,
        model=reply.model,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
    )


def call_seed(*key: str | int) -> int:
    """Derive a seed in [0, 2**31) from all that names a call: the run's seed, the pair, the order, ...

    One seed a call, so that a rerun asks for the same draw again and every draw asks for another.
    """
    digest = blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=4).digest()
    # 31 bits: every engine takes them, and some read the seed as a signed integer.
    return int.from_bytes(digest, "big") >> 1


def shown_responses(pair: PreferencePair, order: Order) -> tuple[str, str]:
    """Give the two answers in the order a judge is shown them."""
    if order == "ab":
        return pair.response_a, pair.response_b
    return pair.response_b, pair.response_a


def in_pair_letters(verdict: Verdict, order: Order) -> Verdict:
    """Turn a verdict in the letters shown into the letters of the pairs file. Its own inverse."""
    return verdict if order == "ab" else opposite(verdict)

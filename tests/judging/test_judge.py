from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature

import pytest

from ralign.errors import CallFailed, EndpointRefused
from ralign.judging import JUDGE_PROMPT, ChatJudge, Judge, Prompt
from ralign.models.model import Reply, Sampling
from ralign.records import Judgment, Message, PreferencePair, Usage

PAIR = PreferencePair(
    id="7",
    conversation=(Message(role="user", content="Name a prime."),),
    response_a="nine",
    response_b="seven",
    label="B",
    benchmark="primes",
)


@dataclass
class ScriptedModel:
    """Answers every call with the same reply, or raises, and keeps what it was asked."""

    answer: Reply | Exception
    name: str = "scripted"
    asked: list[tuple[Sequence[Message], Sampling, int | None]] = field(default_factory=list)

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        self.asked.append((messages, sampling, seed))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def judge_with(answer: Reply | Exception, seed: int = 0) -> tuple[ChatJudge, ScriptedModel]:
    model = ScriptedModel(answer)
    prompt = Prompt("{conversation}\n1: {response_a}\n2: {response_b}", JUDGE_PROMPT)
    return ChatJudge(model=model, prompt=prompt, sampling=Sampling(temperature=0.4), seed=seed), model


async def test_everything_about_an_answer_is_kept():
    usage = Usage(prompt_tokens=11, completion_tokens=22)
    reply = Reply(
        text="Seven is prime.\n\\boxed{B}",
        thinking="\\boxed{A}?",
        finish_reason="stop",
        model="judge-1.2",
        usage=usage,
    )
    judge, _ = judge_with(reply)
    assert await judge.judge(PAIR, "ab", 3) == Judgment(
        pair_id="7",
        benchmark="primes",
        order="ab",
        draw=3,
        text=reply.text,
        thinking="\\boxed{A}?",
        rationale="Seven is prime.",
        verdict="B",
        model="judge-1.2",
        finish_reason="stop",
        usage=usage,
    )


async def test_the_other_order_shows_the_second_answer_first_and_maps_the_verdict_back():
    judge, model = judge_with(Reply(text="A says seven.\n\\boxed{A}"))
    judgment = await judge.judge(PAIR, "ba", 0)
    assert judgment.verdict == "B"
    assert judgment.order == "ba"
    assert judgment.rationale == "A says seven."
    assert model.asked[0][0][0].content.endswith("1: seven\n2: nine")
    await judge.judge(PAIR, "ab", 0)
    assert model.asked[1][0][0].content.endswith("1: nine\n2: seven")


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (Reply(text="Both are fine."), "no \\boxed verdict"),
        (Reply(text="\\boxed{A}\n\\boxed{B}"), "two different verdicts: A, B"),
        (Reply(text="Seven.\n\\boxed{B}", finish_reason="length"), "cut off at the token limit"),
        (Reply(text="", thinking="So \\boxed{B}", finish_reason="stop"), "empty answer"),
    ],
)
async def test_an_answer_without_a_verdict_is_a_parse_failure_that_says_why(reply: Reply, detail: str):
    judge, _ = judge_with(reply)
    judgment = await judge.judge(PAIR, "ab", 0)
    assert (judgment.verdict, judgment.failure, judgment.detail) == (None, "parse", detail)
    assert (judgment.text, judgment.thinking) == (reply.text, reply.thinking)


async def test_a_failed_call_is_a_judgment_and_not_a_wrong_one():
    judge, _ = judge_with(CallFailed("503 after 6 tries"))
    assert await judge.judge(PAIR, "ba", 1) == Judgment(
        pair_id="7",
        benchmark="primes",
        order="ba",
        draw=1,
        failure="call",
        failure_reason="no_reply",
        detail="503 after 6 tries",
    )


async def test_a_refusing_endpoint_ends_the_run():
    judge, _ = judge_with(EndpointRefused("401: wrong key"))
    with pytest.raises(EndpointRefused, match="401"):
        await judge.judge(PAIR, "ab", 0)


async def test_reruns_repeat_their_seeds_and_draws_and_orders_differ():
    seeds: list[list[int | None]] = []
    for run_seed in (1, 1, 2):
        judge, model = judge_with(Reply(text="\\boxed{A}"), seed=run_seed)
        for order in ("ab", "ba"):
            for draw in (0, 1):
                await judge.judge(PAIR, order, draw)
        seeds.append([seed for _, _, seed in model.asked])
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 8


async def test_the_sampling_goes_through_as_it_is():
    judge, model = judge_with(Reply(text="\\boxed{A}"))
    await judge.judge(PAIR, "ab", 0)
    assert model.asked[0][1] == Sampling(temperature=0.4)


def test_a_chat_judge_is_called_as_any_judge():
    assert signature(ChatJudge.judge) == signature(Judge.judge)

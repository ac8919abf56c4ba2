import asyncio

import pytest
from tests.training.reward_pieces import OrderedMetaJudge, make_pair

from ralign.errors import EndpointDown, EndpointRefused, InputError
from ralign.training.asking import SharedMetaJudge
from ralign.training.breaker import Limits
from ralign.training.completions import Completion, read_completion
from ralign.training.outage import Guard, OutagePlan

PAIR = make_pair()


def shared(meta_judge, *, minimum=50, **options):
    guard = Guard(OutagePlan(limits=Limits(window=50, minimum=minimum)), name="meta")
    return SharedMetaJudge(meta_judge, guard, **{"concurrency": 8} | options)


def about(reason, *, pair=PAIR, order="ab"):
    text = f"{reason} \\boxed{{A}}"
    return pair, read_completion(Completion(pair=pair, order=order, text=text))


async def test_the_cap_holds_over_all_askers_and_all_their_votes():
    """Pitfall 16."""
    meta_judge = OrderedMetaJudge(latency=0.002)
    asked = shared(meta_judge, concurrency=5, votes=3)
    await asyncio.gather(*(asked.ask(*about(f"tide {n}")) for n in range(20)))
    assert meta_judge.most_in_flight == 5
    assert len(meta_judge.rationales) == 60


async def test_equal_questions_are_asked_once_at_the_same_time_and_later():
    meta_judge = OrderedMetaJudge(latency=0.002)
    asked = shared(meta_judge)
    together = await asyncio.gather(*(asked.ask(*about("the tide")) for _ in range(6)))
    assert await asked.ask(*about("the tide")) is together[0]
    assert all(each is together[0] for each in together)
    assert len(meta_judge.rationales) == 1


async def test_another_order_pair_or_rationale_is_another_question():
    meta_judge = OrderedMetaJudge()
    asked = shared(meta_judge)
    await asked.ask(*about("the tide"))
    await asked.ask(*about("the tide", order="ba"))
    await asked.ask(*about("the tide", pair=make_pair("pier")))
    await asked.ask(*about("a tide"))
    assert len(meta_judge.rationales) == 4


async def test_a_failure_is_forgotten_and_old_answers_are_too():
    says = {"the tide": ["down", True], "a tide": [True, True]}
    meta_judge = OrderedMetaJudge(lambda rationale: says[rationale].pop(0))
    asked = shared(meta_judge, remembered=1)
    assert (await asked.ask(*about("the tide"))).detail == "down"
    assert (await asked.ask(*about("the tide"))).aligned
    await asked.ask(*about("a tide"))
    says["the tide"] = [False]
    assert (await asked.ask(*about("the tide"))).aligned is False


async def test_the_last_to_stop_waiting_ends_the_call_and_nobody_joins_its_end():
    meta_judge = OrderedMetaJudge(latency=0.05)
    asked = shared(meta_judge)
    first, second = (asyncio.create_task(asked.ask(*about("the tide"))) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    assert meta_judge.in_flight == 1
    second.cancel()
    await asyncio.sleep(0)
    third = asyncio.create_task(asked.ask(*about("the tide")))
    assert (await third).aligned
    assert first.cancelled()
    assert second.cancelled()
    assert (len(meta_judge.rationales), meta_judge.ended) == (2, 1)


@pytest.mark.parametrize(
    ("votes", "aligned", "failure"),
    [
        ([True, False, True], True, None),
        (["down", False, "down"], False, None),
        (["down", False, True], None, "call"),
        (["down", "down", "down"], None, "call"),
    ],
)
async def test_the_majority_of_the_votes_that_answered_counts(votes, aligned, failure):
    said = list(votes)
    meta_judge = OrderedMetaJudge(lambda _: said.pop(0))
    meta_judgment = await shared(meta_judge, votes=len(votes)).ask(*about("the tide"))
    assert (meta_judgment.aligned, meta_judgment.failure) == (aligned, failure)
    assert meta_judge.votes == list(range(len(votes)))


async def test_an_endpoint_that_is_down_is_a_failure_and_one_that_refuses_is_raised():
    down = EndpointDown("20 calls in a row failed, last: 503; stopping", last="503")
    says = [down, EndpointRefused("401: wrong key")]
    asked = shared(OrderedMetaJudge(lambda _: says.pop(0)))
    assert (await asked.ask(*about("the tide"))).detail == "503"
    with pytest.raises(EndpointRefused, match="wrong key"):
        await asked.ask(*about("the tide"))


async def test_no_call_is_made_while_the_breaker_is_open_but_a_probe_whose_answer_is_kept():
    up = False
    meta_judge = OrderedMetaJudge(lambda _: up or "down", latency=0.001)
    asked = shared(meta_judge, concurrency=1, minimum=2)
    questions = [about(f"tide {n}") for n in range(6)]
    answers = await asyncio.gather(*(asked.ask(*question) for question in questions))
    assert [answer.detail for answer in answers] == ["down"] * 2 + [
        "not asked: too many calls before it failed"
    ] * 4
    up = True
    assert (await asked.probe(*questions[3])).aligned
    assert (await asked.ask(*questions[3])).aligned
    assert len(meta_judge.rationales) == 3


async def test_a_rationale_that_says_nothing_is_no_sign_that_the_meta_judge_is_up():
    """It is misaligned without a call; a batch full of such would hide an outage from the breaker."""
    meta_judge = OrderedMetaJudge(lambda rationale: "tide" not in rationale or "down")
    asked = shared(meta_judge, minimum=2)
    for reason in ("...", "!", "tide 1", "?", "...?", "tide 2"):
        await asked.ask(*about(reason))
    assert (await asked.ask(*about("tide 3"))).detail.startswith("not asked")


def test_there_is_at_least_one_call_and_a_majority():
    with pytest.raises(InputError, match="concurrency is 0"):
        shared(OrderedMetaJudge(), concurrency=0)
    for votes in (0, 2):
        with pytest.raises(InputError, match=f"votes is {votes}, expected an odd number"):
            shared(OrderedMetaJudge(), votes=votes)

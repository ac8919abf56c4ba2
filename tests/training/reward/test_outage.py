import asyncio
import itertools

import pytest
from tests.training.reward_pieces import Hours

from ralign.errors import EndpointRefused, InputError, MetaJudgeDown
from ralign.training.reward.circuit_breaker import Limits
from ralign.training.reward.outage import Guard, OutagePlan, Probe, Unguarded

ANSWER = Probe(None)
FAILURE = Probe("503 Service Unavailable: down")


def guard_of(hours, said, *, policy="pause", **times):
    plan = OutagePlan(policy=policy, limits=Limits(window=4, minimum=2), **times)
    return Guard(plan, name="'meta' at http://quay", clock=hours, sleep=hours.sleep, log=said.append)


def opened(guard, *, failures=2):
    for _ in range(failures):
        guard.note("503 Service Unavailable: down")
    assert guard.is_open
    return guard


def probes_of(outcomes, sent):
    for number, outcome in enumerate(outcomes):

        async def probe(number=number, outcome=outcome):
            sent.append(number)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        yield probe()


async def test_training_waits_ever_longer_and_goes_on_by_itself_once_it_is_answered():
    hours, said, sent = Hours(), [], []
    guard = opened(guard_of(hours, said, first_wait=5, longest_wait=30))
    await guard.wait_until_answered(probes_of([FAILURE] * 4 + [ANSWER], sent))
    assert hours.slept == [5, 10, 20, 30, 30]
    assert sent == [0, 1, 2, 3, 4]
    assert not guard.is_open
    assert guard.paused_seconds == 95
    assert said == [
        "'meta' at http://quay failed 2 of the last 2 calls, last: 503 Service Unavailable: down; training waits, asks "
        "again in 5 s and then ever more rarely, and goes on by itself once it answers; bring it back within 3600 s",
        "'meta' at http://quay answers again after 95 s; training goes on",
    ]


async def test_patience_has_an_end_which_names_the_endpoint_the_failure_and_what_to_do():
    hours, sent = Hours(), []
    guard = opened(guard_of(hours, [], first_wait=5, patience=60))
    message = (
        r"^'meta' at http://quay did not answer for 60 s, last: no verdict at the end; stopped; bring it back and "
        "resume from the last checkpoint$"
    )
    unreadable = Probe("no verdict at the end")
    with pytest.raises(MetaJudgeDown, match=message):
        await guard.wait_until_answered(probes_of([unreadable] * 9, sent))
    assert hours.slept == [5, 10, 20, 25]
    # Whoever asks after that gets one probe at once, and no second patience.
    with pytest.raises(MetaJudgeDown):
        await guard.wait_until_answered(probes_of([FAILURE] * 9, sent))
    assert hours.slept[4:] == [0]


async def test_told_to_stop_it_stops_without_a_probe():
    hours, said, sent = Hours(), [], []
    guard = opened(guard_of(hours, said, policy="stop"))
    with pytest.raises(
        MetaJudgeDown, match="last: 503 Service Unavailable: down; stopped, as asked; bring it back"
    ):
        await guard.wait_until_answered(probes_of([ANSWER], sent))
    assert (hours.slept, said, sent) == ([], [], [])


async def test_stragglers_change_neither_the_reason_nor_the_time_of_an_outage():
    hours, said = Hours(), []
    guard = opened(guard_of(hours, said, first_wait=5, patience=60))
    hours.now = 58
    guard.note("not asked")
    guard.note(None)
    with pytest.raises(MetaJudgeDown, match="did not answer for 60 s"):
        await guard.wait_until_answered(probes_of([FAILURE], []))
    assert "last: 503 Service Unavailable: down; training waits" in said[0]


async def test_whoever_waits_waits_for_one_prober():
    hours, sent = Hours(), []
    guard = opened(guard_of(hours, [], first_wait=5))
    probes = probes_of([FAILURE, ANSWER], sent)
    await asyncio.gather(*(guard.wait_until_answered(probes) for _ in range(8)))
    assert sent == [0, 1]


async def test_a_closed_guard_holds_nobody_up():
    hours, sent = Hours(), []
    guard = guard_of(hours, [])
    guard.note("one failure")
    await guard.wait_until_answered(probes_of([], sent))
    assert hours.slept == []


@pytest.mark.parametrize("raised", [EndpointRefused("401"), asyncio.CancelledError()])
async def test_a_probe_that_ends_in_an_error_leaves_it_open_for_the_next(raised):
    hours, sent = Hours(), []
    guard = opened(guard_of(hours, []))
    with pytest.raises(type(raised)):
        await guard.wait_until_answered(probes_of([raised], sent))
    assert guard.breaker.phase == "open"
    await guard.wait_until_answered(probes_of([ANSWER], sent))
    assert not guard.is_open


async def rounds_until_given_up(guard, probes):
    """Wait, ask again, fail again, as a batch does."""
    for number in itertools.count():
        try:
            await guard.wait_until_answered(probes)
        except MetaJudgeDown as error:
            return number, str(error)
        opened(guard)
    return None


async def test_a_meta_judge_that_answers_probes_and_nothing_else_is_down_all_the_same():
    """Without this, waiting, asking again and failing again would never end."""
    hours = Hours()
    guard = opened(guard_of(hours, [], first_wait=50, patience=120))
    always = probes_of(itertools.repeat(ANSWER), [])
    rounds, message = await rounds_until_given_up(guard, always)
    assert (rounds, hours.now) == (3, 120)
    assert "answered single questions and failed all others for 120 s, last: 503" in message
    # Asked later, it gets one probe, and all is well once a question that is no probe is answered.
    await guard.wait_until_answered(always)
    guard.note(None)
    assert (await rounds_until_given_up(opened(guard, failures=3), always))[0] == 3


def test_waits_and_patience_are_more_than_nothing():
    for name, value in itertools.product(("first_wait", "longest_wait", "patience"), (0, -1)):
        with pytest.raises(InputError, match=name):
            OutagePlan(**{name: value})


def test_one_that_training_can_do_without_never_opens():
    guard = Unguarded(OutagePlan(limits=Limits(window=4, minimum=2)), name="the second judge")
    for _ in range(8):
        guard.note("down")
    assert not guard.is_open

"""The simulated fleet against what queueing theory says of the cases it can say something of."""

import random
from math import factorial

import numpy as np
import pytest
from benchmarks.simulated_fleet import Calls, Fleet, Served, serve
from numpy.typing import NDArray

from ralign.models import RetryPolicy

Floats = NDArray[np.float64]


def calls(arrival: Floats, tokens: Floats, prompt: float = 0.0) -> Calls:
    return Calls(arrival=arrival, answer_tokens=tokens, prompt_tokens=np.full_like(tokens, prompt))


def poisson_calls(rate: float, mean_tokens: float, count: int, seed: int = 0) -> Calls:
    rng = np.random.default_rng(seed)
    return calls(np.cumsum(rng.exponential(1 / rate, count)), rng.exponential(mean_tokens, count))


def run(given: Calls, fleet: Fleet, **settings: float | int | RetryPolicy | None) -> Served:
    return serve(given, fleet, rng=random.Random(0), **settings)  # type: ignore[arg-type]


def erlang_c(servers: int, offered: float) -> float:
    """The chance that a call finds every server taken (Erlang 1917)."""
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


def test_one_slot_serves_one_call_after_the_other() -> None:
    tokens = np.array([10.0, 30.0, 20.0])
    fleet = Fleet(slots=1, seconds_per_step=0.02, seconds_per_call=0.01, seconds_per_prompt_token=0.001)
    served = run(calls(np.zeros(3), tokens, prompt=100.0), fleet)
    assert served.ended == pytest.approx(np.cumsum(tokens * 0.03 + 100 * 0.001))


def test_a_batch_slows_every_call_in_it_and_speeds_up_as_they_leave() -> None:
    """By hand: 10 tokens at batch 2 (0.4 s each), then 10 alone (0.3 s)."""
    fleet = Fleet(slots=2, seconds_per_step=0.2, seconds_per_call=0.1)
    served = run(calls(np.zeros(2), np.array([10.0, 20.0])), fleet)
    assert served.ended == pytest.approx([4.0, 7.0])


def test_a_call_that_joins_later_slows_the_one_that_is_there() -> None:
    """By hand: 2 s alone are 20 tokens of 40; then both at 0.2 s a token until the second has its 10."""
    fleet = Fleet(slots=4, seconds_per_step=0.0, seconds_per_call=0.1)
    served = run(calls(np.array([0.0, 2.0]), np.array([40.0, 10.0])), fleet)
    assert served.ended == pytest.approx([5.0, 4.0])


@pytest.mark.parametrize("as_replicas", [True, False])
def test_slots_that_do_not_slow_each_other_wait_as_erlang_says(as_replicas: bool) -> None:
    """M/M/c: with b = 0, c slots are c servers, on one replica or on c."""
    servers, rate, mean = 4, 3.0, 1.0
    fleet = Fleet(
        replicas=servers if as_replicas else 1,
        slots=1 if as_replicas else servers,
        seconds_per_step=1.0,
        seconds_per_call=0.0,
    )
    given = poisson_calls(rate, mean, 40_000)
    wait = np.mean(run(given, fleet).ended - given.arrival - given.answer_tokens)
    assert wait == pytest.approx(erlang_c(servers, rate * mean) / (servers - rate * mean), rel=0.1)


@pytest.mark.parametrize("constant", [True, False])
def test_a_shared_processor_answers_as_kleinrock_says_whatever_the_lengths(constant: bool) -> None:
    """M/G/1 processor sharing (a = 0): the mean time is E[S] / (1 - load), for every distribution of S."""
    given = poisson_calls(0.6, 1.0, 40_000)
    if constant:
        given = given._replace(answer_tokens=np.ones_like(given.answer_tokens))
    served = run(given, Fleet(slots=10**6, seconds_per_step=0.0, seconds_per_call=1.0))
    assert np.mean(served.ended - given.arrival) == pytest.approx(1 / (1 - 0.6), rel=0.1)


def test_calls_in_slots_are_their_rate_times_their_time() -> None:
    """Little's law; the simulation counts the left side step by step, the right side is from the calls."""
    given = poisson_calls(5.0, 20.0, 2_000)
    fleet = Fleet(replicas=3, slots=10**6, seconds_per_step=0.004, seconds_per_call=0.003)
    served = run(given, fleet)
    horizon = served.ended.max() - given.arrival.min()
    rate = len(served.ended) / horizon
    assert served.call_seconds / horizon == pytest.approx(rate * np.mean(served.ended - given.arrival))


def test_a_full_fleet_decodes_what_it_says_it_can() -> None:
    fleet = Fleet(replicas=3, slots=8, seconds_per_step=0.01, seconds_per_call=0.001)
    served = run(calls(np.zeros(24 * 50), np.full(24 * 50, 100.0)), fleet)
    assert 24 * 50 * 100 / served.ended.max() == pytest.approx(fleet.tokens_per_second())
    assert served.busy_seconds == pytest.approx(3 * served.ended.max())


def test_the_clients_cap_leaves_slots_empty() -> None:
    given = calls(np.zeros(12), np.ones(12))
    fleet = Fleet(slots=6, seconds_per_step=1.0, seconds_per_call=0.0)
    assert run(given, fleet).ended.max() == pytest.approx(2)
    assert run(given, fleet, calls_at_once=2).ended.max() == pytest.approx(6)


def test_failing_tries_cost_their_service_and_are_given_up_at_the_limit() -> None:
    given = calls(np.zeros(4_000), np.ones(4_000))
    fleet = Fleet(slots=4_000, seconds_per_step=1.0, seconds_per_call=0.0)
    served = run(given, fleet, failure_rate=0.5, patience=RetryPolicy(max_tries=3, first_wait=0.01))
    assert np.mean(served.failed) == pytest.approx(0.5**3, abs=0.02)
    assert served.call_seconds == pytest.approx(4_000 * (1 + 0.5 + 0.25), rel=0.03)
    assert not run(given, fleet).failed.any()


def test_a_call_that_waits_for_its_retry_keeps_its_place_under_the_cap() -> None:
    """As in EndpointModel, whose slot covers the whole call. One slot, two calls, every try fails once."""

    class FailsFirst(random.Random):
        draws = iter([0.0, 1.0, 1.0])

        def random(self) -> float:
            return next(self.draws)

        def uniform(self, a: float, b: float) -> float:
            return b

    fleet = Fleet(slots=2, seconds_per_step=1.0, seconds_per_call=0.0)
    served = serve(
        calls(np.zeros(2), np.ones(2)),
        fleet,
        rng=FailsFirst(),
        calls_at_once=1,
        failure_rate=0.5,
        patience=RetryPolicy(first_wait=3.0),
    )
    assert served.ended == pytest.approx([5.0, 6.0])  # 1 s lost, 3 s of waiting, 1 s; then the other

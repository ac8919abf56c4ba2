"""A fleet of model servers, simulated: calls with arrival times in, the moments they end out. Pure.

A replica serves up to `slots` calls at once with continuous batching. One decoding step gives every call of the batch
one token and takes a + b * batch seconds: `a` is what a step costs however few calls it serves (reading the weights),
`b` what each call adds (its keys and values, its arithmetic). All calls of a batch have therefore been given the same
number of tokens since they joined, so one clock a replica, counted in tokens, is enough: processor sharing
(Kleinrock, Queueing Systems II, 1976, chapter 4) whose rate depends on the state.

Why no library: simpy would bring processes and resources, but a batch whose every member speeds up when one leaves
has to be rescheduled by hand there too. What is left is the heap and the loop below.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.models import RetryPolicy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Replicas of one model server. To know a and b of yours, time a token at a batch of one and at a full one."""

    replicas: int = 1
    slots: int
    """Calls that one replica decodes at once; the others wait, first come, first served (vLLM: `max_num_seqs`)."""
    seconds_per_step: float
    """a: seconds of one decoding step, whatever the batch."""
    seconds_per_call: float
    """b: seconds that each call of the batch adds to a step."""
    seconds_per_prompt_token: float = 0.0
    """Seconds to read one prompt token. They are spread over the call's own decoding (chunked prefill), which keeps
    the work of a replica exact, and the law in a + b * batch."""

    def tokens_per_second(self) -> float:
        """What the whole fleet decodes with every slot taken, prompts apart."""
        return self.replicas * self.slots / (self.seconds_per_step + self.slots * self.seconds_per_call)


class Calls(NamedTuple):
    """Calls to a fleet; arrays of shape (calls,)."""

    arrival: Floats
    """Seconds, in any order."""
    answer_tokens: Floats
    """What each is answered with; more than 0."""
    prompt_tokens: Floats
    """What has to be read for it: without the part that a prefix cache holds."""


class Served(NamedTuple):
    """What became of the calls."""

    ended: Floats
    """Shape (calls,): seconds at which each was answered or given up."""
    failed: Bools
    """Shape (calls,): whether it was given up."""
    call_seconds: float
    """Seconds in a slot, summed over calls and tries."""
    busy_seconds: float
    """Seconds with at least one call in a slot, summed over replicas."""


class _Replica:
    """One server: its clock in tokens, and the calls in its batch by the clock at which each is done."""

    __slots__ = ("_at", "_batch", "_clock", "_pace", "_seconds_per_step", "busy_seconds", "call_seconds")

    def __init__(self, seconds_per_step: float) -> None:
        self.call_seconds = 0.0
        self.busy_seconds = 0.0
        self._seconds_per_step = seconds_per_step
        self._pace = seconds_per_step
        self._at = 0.0
        self._clock = 0.0
        self._batch: list[tuple[float, int, float]] = []

    def start(self, now: float, call: int, tokens: float, seconds_per_token: float) -> None:
        """Take a call into the batch; each step is `seconds_per_token` longer while it is there."""
        self._advance(now)
        heapq.heappush(self._batch, (self._clock + tokens, call, seconds_per_token))
        self._pace += seconds_per_token

    def finish(self, now: float) -> int:
        """Let the call go that is done first."""
        self._advance(now)
        self._clock, call, seconds_per_token = heapq.heappop(self._batch)
        # Sums of floats drift; an empty batch is exact again.
        self._pace = self._pace - seconds_per_token if self._batch else self._seconds_per_step
        return call

    def next_end(self) -> float:
        """When that will be, if nothing joins before."""
        return self._at + (self._batch[0][0] - self._clock) * self._pace if self._batch else inf

    def _advance(self, now: float) -> None:
        if self._batch:
            passed = now - self._at
            self._clock += passed / self._pace
            self.busy_seconds += passed
            self.call_seconds += passed * len(self._batch)
        self._at = now


class _Replicas:
    """All servers, and which call ends next where."""

    def __init__(self, fleet: Fleet) -> None:
        self.all = [_Replica(fleet.seconds_per_step) for _ in range(fleet.replicas)]
        self._slots = fleet.slots
        self._load = [0] * fleet.replicas
        self._ends = [inf] * fleet.replicas

    def next_end(self) -> float:
        """When the next call ends; infinite where none is served."""
        return min(self._ends)

    def full(self) -> bool:
        """Whether every slot is taken."""
        return min(self._load) == self._slots

    def start(self, now: float, call: int, tokens: float, seconds_per_token: float) -> None:
        """Give a call to the replica with the fewest."""
        number = self._load.index(min(self._load))
        self.all[number].start(now, call, tokens, seconds_per_token)
        self._changed(number, 1)

    def finish(self) -> int:
        """Let the call go that ends next."""
        now = self.next_end()
        number = self._ends.index(now)
        call = self.all[number].finish(now)
        self._changed(number, -1)
        return call

    def _changed(self, number: int, by: int) -> None:
        self._load[number] += by
        self._ends[number] = self.all[number].next_end()


def serve(
    calls: Calls,
    fleet: Fleet,
    *,
    rng: random.Random,
    calls_at_once: int | None = None,
    failure_rate: float = 0.0,
    patience: RetryPolicy | None = None,
) -> Served:
    """Let a fleet answer the calls, each by the replica with the fewest.

    Args:
        calls: when they come and what they take.
        fleet: who answers.
        rng: draws failures and the jitter of their waits.
        calls_at_once: the client's own cap. As in `EndpointModel`, a call holds its place through its retries.
        failure_rate: the share of tries that come to nothing, 0..1. Each has taken its slot for as long as an
            answer would: the dear kind of failure.
        patience: how often a call is tried (`max_tries`), and how long it waits in between. Its deadlines are not
            looked at: the caller has the times.
    """
    patience = patience or RetryPolicy()
    cap = inf if calls_at_once is None else calls_at_once
    replicas = _Replicas(fleet)
    tokens = calls.answer_tokens.tolist()
    prompt_seconds = fleet.seconds_per_prompt_token * calls.prompt_tokens / calls.answer_tokens
    seconds_per_token = (fleet.seconds_per_call + prompt_seconds).tolist()
    arrivals = [(time, call) for call, time in enumerate(calls.arrival.tolist())]
    heapq.heapify(arrivals)
    tries, given_up, ended = [0] * len(tokens), [False] * len(tokens), [inf] * len(tokens)
    waiting, retrying = deque[int](), deque[int]()
    in_flight = 0
    while arrivals or replicas.next_end() < inf:
        now = replicas.next_end()
        if arrivals and arrivals[0][0] <= now:
            now, call = heapq.heappop(arrivals)
            (retrying if tries[call] else waiting).append(call)
        else:
            call = replicas.finish()
            tries[call] += 1
            failed = rng.random() < failure_rate
            if failed and tries[call] < patience.max_tries:
                heapq.heappush(arrivals, (now + patience.wait(tries[call], None, rng), call))
            else:
                ended[call], given_up[call] = now, failed
                in_flight -= 1
        while (retrying or (waiting and in_flight < cap)) and not replicas.full():
            in_flight += not retrying
            call = (retrying or waiting).popleft()
            replicas.start(now, call, tokens[call], seconds_per_token[call])
    return Served(
        ended=np.array(ended),
        failed=np.array(given_up, dtype=np.bool_),
        call_seconds=sum(replica.call_seconds for replica in replicas.all),
        busy_seconds=sum(replica.busy_seconds for replica in replicas.all),
    )

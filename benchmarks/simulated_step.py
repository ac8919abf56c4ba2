"""One step of a judge's RL against a meta-judge fleet: how much later does the step end for its reward? Pure.

Comes in: a `TrainingStep`. Goes out: seconds of rollout, of update, and of reward beyond the rollout's end; or the
number of replicas that keeps the latter below a share of the step.

    rollout    every completion starts at 0 on the judge's replicas; the slowest ends it
    reward     right completions go to the meta-judge: as each ends (streaming), or all when the rollout has ended
    update     after the last reward

A completion that the limit cuts off has no verdict, so it is never asked about (as in `ralign.judging`). TRL hands
all completions over at the rollout's end; verl's reward loop takes each as it ends. The figures that a step begins
with are ours: round ones for Qwen3-8B on eight H100 and GPT-OSS-120B, one H100 a replica. Put yours in their place.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from benchmarks.simulated_fleet import Bools, Calls, Fleet, Floats, serve

from ralign.models import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long answers are, in tokens: lognormal, cut off at a limit."""

    median: float
    sigma: float
    """Of the logarithm."""
    limit: int

    @property
    def mean(self) -> float:
        """Of what `draw` gives, all answers that the limit cuts off included: the limited expected value of a
        lognormal (Klugman, Panjer and Willmot, Loss Models, appendix A.5.1.1).
        """
        if self.sigma == 0:
            return min(self.median, self.limit)
        at = log(self.limit / self.median) / self.sigma
        below = NormalDist().cdf(at - self.sigma)
        return self.median * exp(self.sigma**2 / 2) * below + self.limit * (1 - NormalDist().cdf(at))

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Shape (count,), each from 1 to `limit`."""
        return np.clip(self.median * np.exp(self.sigma * rng.standard_normal(count)), 1, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStep:
    """What one step takes. Defaults without a source are ours."""

    completions: int = 512
    group_size: int = 8
    """Completions a pair. A pair's prompt is read once a group: both engines' prefix caches hold."""
    right_share: float = 0.75
    """Of completions with a verdict: those that are right, and so asked about. L-Acc of the
    paper's own judges on its three benchmarks is 0.62 to 0.92."""
    judge: Fleet = field(
        default_factory=lambda: Fleet(
            replicas=8,
            slots=256,
            seconds_per_step=0.008,
            seconds_per_call=0.0002,
            seconds_per_prompt_token=0.00003,
        )
    )
    """The rollout engine. For 8 billion parameters in bf16 on an H100 (3.35 TB/s, 989 Tflop/s) at 60 % of each: 16 GB
    read in 8 ms; 147 KB of keys and values a token, 2,500 tokens long, read in 0.2 ms; 16 Gflop a prompt token."""
    judge_prompt_tokens: int = 1_500
    """Instructions, conversation and both answers."""
    judgment: Lengths = field(default_factory=lambda: Lengths(median=700, sigma=0.6, limit=8_192))
    """The limit is the paper's; 700 tokens at the median are ours."""
    update_seconds_per_token: float = 26e-6
    """Of the trainer as a whole, for each prompt or completion token. Forward and backward, old and reference
    log-probabilities: 10 flop a parameter, 8 billion of them, eight H100 at 40 %."""
    meta_judge: Fleet = field(
        default_factory=lambda: Fleet(
            slots=64, seconds_per_step=0.005, seconds_per_call=0.0004, seconds_per_prompt_token=0.00002
        )
    )
    """200 tokens a second for one call alone, 2,100 with 64 of them."""
    meta_prompt_tokens: int = 2_600
    """Instructions, conversation, answers and gold rationale; the judge's rationale comes on top, read each time."""
    meta_judgment: Lengths = field(default_factory=lambda: Lengths(median=500, sigma=0.4, limit=16_384))
    """The limit is the paper's. 500: the points, the decision, and little thinking before them."""
    overhead_seconds: float = 0.05
    """Of one call beside the engine's work: network, rendering, parsing."""
    failure_rate: float = 0.01
    """The share of tries that fail after their full service."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    """How failed tries are tried again."""
    calls_at_once: int | None = None
    """The client's cap; None: enough for every slot of the fleet."""
    deadline_seconds: float = 600.0
    """After the rollout's end: what is not answered then stays unscored."""

    def with_replicas(self, replicas: int) -> "TrainingStep":
        """The same step with so many replicas of the meta-judge."""
        return replace(self, meta_judge=replace(self.meta_judge, replicas=replicas))


class Rollout(NamedTuple):
    """The completions of a step; arrays of shape (completions,)."""

    ended: Floats
    """Seconds after the step's start."""
    tokens: Floats
    right: Bools
    """Whether the meta-judge is to be asked."""
    update_seconds: float

    @property
    def seconds(self) -> float:
        """When the slowest ended."""
        return float(self.ended.max())

    @property
    def step_seconds(self) -> float:
        """The step without a reward that takes time: outcome-only."""
        return self.seconds + self.update_seconds


class RewardTime(NamedTuple):
    """What the reward takes of a step."""

    added_seconds: float
    """From the rollout's end to the last reward."""
    calls: int
    unscored: int
    """Given up, or not there at the deadline."""
    busy_share: float
    """Of the replicas' time from the step's start to the last reward: with anything to do."""


def roll_out(step: TrainingStep, rng: np.random.Generator) -> Rollout:
    """Draw a step's completions and let the judge's replicas write them."""
    tokens = step.judgment.draw(step.completions, rng)
    right = (rng.random(step.completions) < step.right_share) & (tokens < step.judgment.limit)
    prompt = np.full(step.completions, step.judge_prompt_tokens / step.group_size)
    calls = Calls(arrival=np.zeros(step.completions), answer_tokens=tokens, prompt_tokens=prompt)
    ended = serve(calls, step.judge, rng=random.Random(0)).ended
    trained = float(tokens.sum()) + step.completions * step.judge_prompt_tokens
    return Rollout(ended, tokens, right, trained * step.update_seconds_per_token)


def reward_time(
    step: TrainingStep, rollout: Rollout, *, streaming: bool, rng: np.random.Generator
) -> RewardTime:
    """Let the meta-judge's replicas answer about a rollout.

    Args:
        step: what the calls take.
        rollout: what is asked about.
        streaming: call as each completion ends; otherwise when the rollout has ended.
        rng: draws the answers' lengths first, so that the same seed gives the same calls whatever the fleet.
    """
    asked = rollout.right
    count = int(asked.sum())
    if count == 0:
        return RewardTime(0.0, 0, 0, 0.0)
    answers = step.meta_judgment.draw(count, rng)
    shared = step.meta_prompt_tokens / max(1.0, step.group_size * step.right_share)
    calls = Calls(
        arrival=rollout.ended[asked] if streaming else np.full(count, rollout.seconds),
        answer_tokens=answers,
        prompt_tokens=shared + rollout.tokens[asked],
    )
    served = serve(
        calls,
        step.meta_judge,
        rng=random.Random(int(rng.integers(2**32))),
        calls_at_once=step.calls_at_once,
        failure_rate=step.failure_rate,
        retry=step.retry,
    )
    late = served.ended + step.overhead_seconds - rollout.seconds
    added = min(max(0.0, float(late.max())), step.deadline_seconds)
    fleet_seconds = step.meta_judge.replicas * (rollout.seconds + added)
    return RewardTime(
        added_seconds=added,
        calls=count,
        unscored=int(np.sum(served.failed | (late > step.deadline_seconds))),
        busy_share=min(1.0, served.busy_seconds / fleet_seconds),
    )


class Sample(NamedTuple):
    """One step, drawn: the rollout, and the seed of its reward calls."""

    rollout: Rollout
    seed: int


def draw_samples(step: TrainingStep, seeds: Sequence[int]) -> list[Sample]:
    """The same step, drawn once for each seed. Fleets are compared on the same samples."""
    return [Sample(roll_out(step, np.random.default_rng((seed, 0))), seed) for seed in seeds]


def added_share(step: TrainingStep, samples: Sequence[Sample], *, streaming: bool) -> float:
    """What the reward adds to a step, as a share of the step without it; the mean over the samples."""
    shares: list[float] = []
    for rollout, seed in samples:
        reward = reward_time(step, rollout, streaming=streaming, rng=np.random.default_rng((seed, 1)))
        shares.append(reward.added_seconds / rollout.step_seconds)
    return float(np.mean(shares))


def replicas_needed(
    step: TrainingStep, samples: Sequence[Sample], *, streaming: bool, share: float = 0.02
) -> int | None:
    """The fewest replicas of the meta-judge with which the reward adds at most `share` of the step.

    None where no number does: see `least_added_share`.
    """
    at_most = _calls(samples)
    if least_added_share(step, samples, streaming=streaming) > share:
        return None

    def is_enough(replicas: int) -> bool:
        return added_share(step.with_replicas(replicas), samples, streaming=streaming) <= share

    high = 1
    while high < at_most and not is_enough(high):
        high = min(2 * high, at_most)
    # More is never worse, so halve what is between the last that was too few and the first that is enough.
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def least_added_share(step: TrainingStep, samples: Sequence[Sample], *, streaming: bool) -> float:
    """What the reward adds with a replica for each call: the floor, set by the last completion's own meta-judgment.

    No fleet goes below it. Shorter answers, a faster meta-judge, or a trainer that does not wait do.
    """
    return added_share(step.with_replicas(_calls(samples)), samples, streaming=streaming)


def _calls(samples: Sequence[Sample]) -> int:
    return max(1, *(int(sample.rollout.right.sum()) for sample in samples))

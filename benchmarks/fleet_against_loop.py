"""The simulated reward time against the real reward loop: what `benchmarks/simulated_step.py` predicts, and what
`GenRMReward` takes with an endpoint on this machine whose every answer takes the same time.

    python -m benchmarks.fleet_against_loop [--rounds 3]

The simulated fleet is one replica with as many slots as the loop has calls at once, a = the endpoint's latency, b = 0
and answers of one token. What it cannot know is this machine's own work: about 2 ms of processor time a call, of the
loop and of the endpoint together, which share its cores.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
from benchmarks.simulated_fleet import Fleet
from benchmarks.simulated_step import Lengths, Rollout, TrainingStep, reward_time

from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import RetryPolicy, Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.testing.faults import Fault, FaultSchedule
from ralign.models.testing.server import ChatServer
from ralign.records import Message, PreferencePair
from ralign.training.reward.judge_reward import GenRMReward
from ralign.training.reward.scored import Completion

PAIR = PreferencePair(
    id="ferry",
    conversation=(Message(role="user", content="When does the last ferry leave?"),),
    response_a="At nine, from the north pier.",
    response_b="In the evening.",
    label="A",
    gold_judgment="A names the hour and the pier; B names neither.",
)
RETRY = RetryPolicy(first_wait=0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison. Every completion is right, so every one is asked about."""

    name: str
    completions: int = 256
    calls_at_once: int = 32
    latency: float = 0.2
    """Seconds that each answer of the endpoint takes."""
    rollout_seconds: float = 1.0
    """Completions end evenly over this time."""
    streaming: bool = False
    failure_rate: float = 0.0
    """The share of requests that get a 500, after the latency."""

    @property
    def ended(self) -> np.ndarray:
        """Shape (completions,): when each completion ends."""
        return np.linspace(0, self.rollout_seconds, self.completions + 1)[1:]


CASES = (
    Case(name="at the end"),
    Case(name="streaming", streaming=True),
    Case(name="streaming, more slots", streaming=True, calls_at_once=64),
    Case(name="at the end, 10 % fail", failure_rate=0.1),
    Case(name="streaming, 10 % fail", streaming=True, failure_rate=0.1),
)


def predicted_seconds(case: Case) -> float:
    """What the simulation says the reward adds after the rollout's end; the median of five draws of the failures."""
    step = TrainingStep(
        meta_judge=Fleet(slots=case.calls_at_once, seconds_per_step=case.latency, seconds_per_call=0.0),
        meta_judgment=Lengths(median=1, sigma=0.0, limit=1),
        overhead_seconds=0.0,
        failure_rate=case.failure_rate,
        retry=RETRY,
        calls_at_once=case.calls_at_once,
    )
    ones = np.ones(case.completions)
    rollout = Rollout(case.ended, ones, ones.astype(np.bool_), 0.0)
    draws = [
        reward_time(step, rollout, streaming=case.streaming, rng=np.random.default_rng(seed))
        for seed in range(5)
    ]
    return median(draw.added_seconds for draw in draws)


async def measured_seconds(case: Case, *, seed: int = 0) -> float:
    """What the reward loop takes after the rollout's end."""
    faults = FaultSchedule({Fault(kind="status", status=500): case.failure_rate}, seed=seed)
    answer = "POINT: A names the hour | STATED: yes\nVERDICT: Correct"
    async with (
        ChatServer(answer=lambda _: answer, latency=case.latency, faults=faults, remember=False) as server,
        Endpoint(server.url, concurrency=case.calls_at_once, retry=RETRY) as endpoint,
    ):
        meta_judge = ChatMetaJudge(
            model=EndpointModel(endpoint, "meta-judge"),
            prompt=Prompt.load(None, META_PROMPT),
            sampling=Sampling(),
        )
        reward = GenRMReward("ralign", meta_judge, concurrency=case.calls_at_once)
        completions = [
            Completion(pair=PAIR, text=f"{number}: A names the hour and the pier. \\boxed{{A}}")
            for number in range(case.completions)
        ]
        started = time.monotonic()
        if case.streaming:
            async with asyncio.TaskGroup() as tasks:
                for completion, ended in zip(completions, case.ended.tolist(), strict=True):
                    tasks.create_task(_score_at(reward, completion, ended))
            return time.monotonic() - started - case.rollout_seconds
        await reward.score(completions)
        return time.monotonic() - started


async def _score_at(reward: GenRMReward, completion: Completion, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await reward.score_one(completion)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="measured so often; median, lowest and highest")
    arguments = parser.parse_args()
    print("| 256 completions, 200 ms a call | at once | predicted | measured |\n| --- | --- | --- | --- |")
    for case in CASES:
        rounds = [asyncio.run(measured_seconds(case, seed=seed)) for seed in range(arguments.rounds)]
        measured = f"{median(rounds):.2f} s ({min(rounds):.2f} to {max(rounds):.2f})"
        print(
            f"| {case.name} | {case.calls_at_once} | {predicted_seconds(case):.2f} s | {measured} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

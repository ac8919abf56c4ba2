"""The reward in TRL's own trainer, on a tiny judge, with a meta-judge behind a real server that fails to order."""

import asyncio

import pytest
from tests.training.engines.trl.tiny_grpo import END, WORDS, reward_over_http, say, tiny_trainer, trl_reward
from tests.training.reward_pieces import Hours, make_pair
from transformers import TrainerCallback

from ralign.errors import EndpointRefused, MetaJudgeDown
from ralign.models.testing.faults import Fault, FaultSchedule
from ralign.models.testing.server import ChatServer
from ralign.training.reward.circuit_breaker import Limits
from ralign.training.reward.outage import OutagePlan

pytestmark = pytest.mark.filterwarnings("default")  # of torch's and TRL's own


class Weather:
    """What becomes of the meta-judge's calls: 30 % fail, all are cut off, or none."""

    def __init__(self) -> None:
        self.now = "rough"
        self._rough = FaultSchedule({Fault(kind="status"): 0.3}, seed=3)

    def __call__(self, number: int, body: bytes) -> Fault | None:
        if self.now == "dead":
            return Fault(kind="reset")
        return self._rough(number, body) if self.now == "rough" else None


async def test_training_goes_on_with_unscored_samples_then_waits_then_goes_on(tmp_path):
    """30 % of calls fail and all are slow; then all fail; then the meta-judge is back.

    The two seconds of a slow meta-judge are 20 ms here, and pauses take no time: structure, not patience, is tested.
    """
    weather, hours, said = Weather(), Hours(), []

    class Turning(TrainerCallback):
        def on_step_end(self, args, state, control, **more):
            if state.global_step == 3:
                weather.now = "dead"

    hours.on_sleep = lambda: setattr(weather, "now", "fair") if len(hours.slept) == 3 else None
    options = {
        "outage": OutagePlan(first_wait=5),
        "clock": hours,
        "sleep": hours.sleep,
        "log": said.append,
    }
    async with ChatServer(answer=say, faults=weather, latency=0.02) as server:
        pairs = [make_pair(f"quay {row}") for row in range(32)]
        with trl_reward(lambda: reward_over_http(server, **options), pairs) as reward:
            trainer = tiny_trainer(
                reward,
                tmp_path,
                pairs=pairs,
                conversational=True,
                per_device_train_batch_size=256,
                max_steps=6,
                callbacks=[Turning()],
            )
            await asyncio.to_thread(trainer.train)
    steps = [line for line in trainer.state.log_history if "rewards/ralign/mean" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5, 6]
    not_scored = [line["ralign/not_scored"] for line in steps]
    assert all(0 < share < 0.5 for share in not_scored[:3])
    assert not_scored[3:] == [0, 0, 0]
    assert [line["ralign/paused_seconds"] for line in steps] == [0, 0, 0, 35, 0, 0]
    assert hours.slept == [5, 10, 20]
    assert len(said) == 2
    assert f"'meta' at {server.url} failed" in said[0]
    assert "answers again after 35 s" in said[1]
    assert len({frozenset(name for name in line if name.startswith("ralign/")) for line in steps}) == 1


def say_over(completions):
    """A rollout that gives each pair's completions in turn, as words."""

    def rollout(prompts, trainer):
        ids = [[WORDS.index(word) for word in text.split()] + [END] for text in completions]
        assert len(prompts) == len(ids)
        return {
            "prompt_ids": [[8, 5]] * len(ids),
            "completion_ids": ids,
            "logprobs": [[0.0] * len(x) for x in ids],
        }

    return rollout


def lose_the_fair(number, body):
    """The meta-judge fails for one rationale, and for no other."""
    return Fault(kind="status") if b"RATIONALE: fair" in body else None


async def one_step(server, folder, completions, *, group):
    """One step on these completions of two pairs: advantages as TRL made them, and what it logged."""
    kept, pairs = [], [make_pair("pier"), make_pair("quay")]
    with trl_reward(lambda: reward_over_http(server), pairs) as reward:
        trainer = tiny_trainer(
            reward,
            folder,
            pairs=pairs,
            rollout=say_over(completions),
            per_device_train_batch_size=len(completions),
            num_generations=group,
            max_steps=1,
        )
        score = trainer._generate_and_score_completions
        trainer._generate_and_score_completions = lambda inputs: kept.append(score(inputs)) or kept[-1]
        await asyncio.to_thread(trainer.train)
    return kept[0]["advantages"].tolist(), trainer.state.log_history[0]


RIGHT, SPURIOUS, WRONG, LOST = "tide \\boxed{A}", "longer \\boxed{A}", "tide \\boxed{B}", "fair \\boxed{A}"


async def test_failures_leave_the_statistics_of_their_group_as_if_they_had_never_been(tmp_path):
    """Against a run in which those samples never existed."""
    sampled = [RIGHT, LOST, SPURIOUS, RIGHT, LOST, WRONG, RIGHT, WRONG]
    survived = [text for text in sampled if text != LOST]
    async with ChatServer(answer=say, faults=lose_the_fair) as server:
        advantages, logged = await one_step(server, tmp_path / "lost", sampled, group=4)
        without, logged_without = await one_step(server, tmp_path / "never", survived, group=3)
    assert logged["ralign/not_scored"] == 0.25
    assert [a for a, text in zip(advantages, sampled, strict=True) if text == LOST] == [0, 0]
    others = [a for a, text in zip(advantages, sampled, strict=True) if text != LOST]
    assert others == pytest.approx(without, abs=1e-7)
    assert max(others) > 0.5
    assert logged["reward"] == pytest.approx(logged_without["reward"])
    assert logged["reward_std"] == pytest.approx(logged_without["reward_std"])
    # The gradient points the same way. TRL divides it by all completions, scored or not: 8 here, 6 there.
    assert logged["grad_norm"] * 8 == pytest.approx(logged_without["grad_norm"] * 6, rel=1e-4)


async def test_a_group_with_one_scored_member_or_none_teaches_nothing(tmp_path):
    sampled = [RIGHT, LOST, LOST, LOST, LOST, LOST, LOST, LOST]
    async with ChatServer(answer=say, faults=lose_the_fair) as server:
        advantages, logged = await one_step(server, tmp_path, sampled, group=4)
    assert advantages == [0.0] * 8
    assert (logged["grad_norm"], logged["ralign/duplicate"]) == (0.0, 5 / 8)


@pytest.mark.parametrize(
    ("server", "error", "message"),
    [
        (
            {"faults": lambda number, body: Fault(kind="status")},
            MetaJudgeDown,
            "failed 4 of the last 4 calls",
        ),
        ({"models": ["another"]}, EndpointRefused, "check the address"),
    ],
)
async def test_told_to_stop_or_refused_training_ends_in_one_line(tmp_path, server, error, message):
    plan = OutagePlan(policy="stop", limits=Limits(window=4, minimum=4))
    async with ChatServer(answer=say, **server) as running:
        with trl_reward(lambda: reward_over_http(running, outage=plan)) as reward:
            trainer = tiny_trainer(reward, tmp_path, per_device_train_batch_size=64, max_steps=2)
            with pytest.raises(error, match=message) as raised:
                await asyncio.to_thread(trainer.train)
    assert "\n" not in str(raised.value)
    assert running.url in str(raised.value).replace("/chat/completions", "")

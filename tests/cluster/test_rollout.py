"""What verl's V1 trainer makes of a sample that is left out: its own agent loop, reward workers and replay buffer.

Only the model is ours: a client that says what it is told, in the place of verl's to vLLM.
"""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
import transfer_queue as tq
from omegaconf import OmegaConf
from tests.cluster.test_reward_loop import configuration
from tests.training.engines.verl.pieces import example, meta_answer
from tests.training.reward_pieces import make_pair
from transformers import AutoTokenizer
from verl.experimental.reward_loop.reward_loop import RewardLoopManager
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer
from verl.utils import tensordict_utils as tu

from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.training.engines.verl.data import judge_row
from ralign.training.engines.verl.worker import RewardSettings

GROUP = 4
JUDGMENTS = [
    "The tide is named.\n\n\\boxed{A}",
    "It is longer.\n\n\\boxed{A}",
    "The tide is named, but nobody answers about it.\n\n\\boxed{A}",
    "B is shorter.\n\n\\boxed{B}",
]
"""What the judge says, one after the other; the third is the one that the meta-judge fails on."""


def judge(tokenizer_path: str) -> Any:
    """A client of a language model, in verl's words. Made in a function, so that it travels by value."""
    judgments = JUDGMENTS

    class ScriptedClient:
        def __init__(self) -> None:
            self.said = 0

        async def generate(self, **asked: Any) -> Any:
            from verl.workers.rollout.replica import TokenOutput

            tokenizer = AutoTokenizer.from_pretrained(tokenizer_path)
            text = judgments[self.said % len(judgments)]
            self.said += 1
            ids = [*tokenizer.encode(text), tokenizer.eos_token_id]
            weights = {"min_global_steps": 1, "max_global_steps": 1}
            return TokenOutput(token_ids=ids, log_probs=[0.0] * len(ids), extra_fields=weights)

    return ScriptedClient()


@pytest.mark.usefixtures("one_node")
async def test_a_sample_that_is_left_out_is_dropped_alone(tmp_path: Path, tiny_model: Path) -> None:
    """The rest of its group is trained on, and the group's mean is the mean of what was scored."""

    def faults(number: int, body: bytes) -> Fault | None:
        return Fault(kind="status", status=500) if b"nobody answers" in body else None

    async with ChatServer(answer=meta_answer, faults=faults) as server:
        settings = RewardSettings.of(
            {"meta_judge": "test", "meta_judge_url": server.url, "deadline": 0.5, "unscored": "leave_out"}
        )
        config = configuration(tmp_path, tiny_model, settings, workers=1)
        config.actor_rollout_ref.rollout.n = GROUP
        config.transfer_queue.enable = True
        # Each unit is an actor that waits for a CPU of its own.
        config.transfer_queue.backend.SimpleStorage.num_data_storage_units = 1
        sampled = await asyncio.to_thread(roll_out, config, tiny_model)
    assert sorted(score for score, _, _ in sampled) == [0.0, 0.0, 1.0]
    assert all(flags["judge_ok"] == 1.0 for _, flags, _ in sampled)
    (uid,) = {uid for _, _, uid in sampled}
    rewards = torch.tensor([[score] for score, _, _ in sampled])
    index = np.array([uid] * len(sampled))
    advantages, _ = compute_grpo_outcome_advantage(
        rewards, torch.ones_like(rewards), index, norm_adv_by_std_in_grpo=False
    )
    expected = rewards - 1 / 3
    assert torch.allclose(advantages, expected)


def roll_out(config: Any, model: Path) -> list[tuple[float, dict[str, float], str]]:
    """One prompt through verl's rollout; score, flags and group of each trajectory that a step would train on."""
    tq.init(config.transfer_queue)
    try:
        handles = RewardLoopManager(config).reward_loop_worker_handles
        worker = AgentLoopWorkerTQ.options(num_cpus=0).remote(config, judge(str(model)), None, handles)
        row = judge_row(example(make_pair()), 0)
        prompt = {**row, "raw_prompt": row["prompt"], "uid": "group", "index": 0}
        fields = {name: [value] for name, value in prompt.items()}
        batch = tu.get_tensordict(fields, {"global_steps": 1})
        tq.kv_batch_put(
            keys=["group"],
            partition_id="train",
            tags=[{"is_prompt": True, "status": "pending", "global_steps": 1}],
        )
        ray.get(worker.generate_sequences.remote(batch))
        buffer = ReplayBuffer(
            trainer_mode="sync",
            trainer_config=OmegaConf.create({}),
            max_off_policy_threshold=8,
            max_off_policy_strategy="drop",
            sampler_kwargs=OmegaConf.create({}),
            poll_interval=0.1,
            train_batch_size=1,
        )
        found, _ = buffer.sample(1, "train", 1)
        data = tq.kv_batch_get(
            keys=found.keys, partition_id="train", select_fields=["rm_scores", "extra_fields", "uid"]
        )
        scores = [float(row.sum()) for row in data["rm_scores"].unbind()]
        flags = [extra["reward_extra_info"] for extra in list(data["extra_fields"])]
        return list(zip(scores, flags, list(data["uid"]), strict=True))
    finally:
        tq.close()

"""Rewards through verl's own RewardLoopManager, in reward workers on a Ray cluster of one node and of two."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from omegaconf import DictConfig, OmegaConf, open_dict
from tests.cluster.tiny import batch_of
from tests.serving.judges import TURN, WordJudge, service
from tests.training.configs import train_config
from tests.training.engines.verl.pieces import KEYS, example, meta_answer
from tests.training.reward_pieces import make_pair
from transformers import AutoTokenizer
from verl.experimental.reward_loop.reward_loop import RewardLoopManager

from ralign.models.testing.faults import Fault, FaultSchedule
from ralign.models.testing.server import ChatServer
from ralign.training.engines.verl.check import check
from ralign.training.engines.verl.config import RewardFunction, config_text
from ralign.training.engines.verl.data import judge_row
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.engines.verl.worker import RewardSettings
from ralign.training.reward.circuit_breaker import Limits

FAULTS = FaultSchedule(
    {
        Fault(kind="status", status=500): 0.1,
        Fault(kind="status", status=429, retry_after="0.05"): 0.1,
        Fault(kind="reset"): 0.1,
        Fault(kind="truncated"): 0.1,
        Fault(kind="empty"): 0.1,
        Fault(kind="text", status=400): 0.1,
    },
    seed=5,
)


def configuration(folder: Path, model: Path, settings: RewardSettings, workers: int) -> DictConfig:
    """The configuration that a run writes, as verl sees it, with so many reward workers."""
    path = folder / "config.yaml"
    flags = {
        "engine": "verl",
        "model": str(model),
        "reward": "outcome",
        "steps": 1,
        "reward_workers": workers,
    }
    reward = RewardFunction(module="pkg://ralign.training.engines.verl.reward", kwargs=settings.kwargs())
    text = config_text(train_config(**flags).training, VerlFiles(out=folder), reward, examples=64)
    path.write_text(text)
    return OmegaConf.create(check(path))


def texts_and_facts(samples: int) -> list[tuple[str, bool, bool]]:
    """Judgments, each with whether its verdict is the label and whether its reason is gold's."""
    kinds = [
        ("Tide {}: it is named.\n\n\\boxed{{A}}", True, True),
        ("Answer A is longer ({}).\n\n\\boxed{{A}}", True, False),
        ("Tide {}, and yet.\n\n\\boxed{{B}}", False, True),
        ("Tide {}, I cannot say.", False, True),
    ]
    found = []
    for number in range(samples):
        text, right, aligned = kinds[number % len(kinds)]
        found.append((text.format(number), right, aligned))
    return found


@pytest.mark.usefixtures("one_node")
async def test_every_sample_has_a_score_and_true_flags_whatever_fails(tmp_path, tiny_model):
    await score_with_faults(tmp_path, tiny_model, nodes=1)


async def score_with_faults(tmp_path: Path, tiny_model: Path, *, nodes: int) -> None:
    """Two reward workers, half of the meta-judge's answers a fault."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    facts = texts_and_facts(32)
    rows = [judge_row(example(make_pair(f"pair-{number % 5}")), number) for number in range(len(facts))]
    data = batch_of(tokenizer, rows, [text for text, _, _ in facts])
    async with ChatServer(answer=meta_answer, faults=FAULTS, latency=0.02) as server:
        settings = RewardSettings.of(
            {
                "meta_judge": "test",
                "meta_judge_url": server.url,
                "deadline": 1.0,
                "outage_patience": 5.0,
                "first_wait": 0.2,
            }
        )
        config = configuration(tmp_path, tiny_model, settings, workers=2)
        manager = await asyncio.to_thread(RewardLoopManager, config)
        at = await asyncio.to_thread(nodes_of, manager)
        # compute_rm_score blocks, and the server lives in this loop.
        scored = await asyncio.to_thread(manager.compute_rm_score, data)
    assert len(set(at)) == nodes, "a worker on every node"
    assert set(scored.meta_info["reward_extra_keys"]) == KEYS
    flags = scored.non_tensor_batch
    assert all(len(flags[key]) == len(facts) for key in KEYS)
    assert list(flags["acc"]) == [float(right) for _, right, _ in facts]
    assert list(flags["asked"]) == [float(right) for _, right, _ in facts]
    assert list(flags["parsed"]) == [float("boxed" in text) for text, _, _ in facts]
    ok = flags["judge_ok"] == 1
    expected = np.array([float(right and aligned) for _, right, aligned in facts])
    assert np.array_equal(flags["score"][ok], expected[ok])
    assert np.all((flags["score"][~ok] > 0) & (flags["score"][~ok] < 1)), (
        "a fallback is neither right nor wrong"
    )
    assert ok.sum() >= 20
    # The score stands at the last token of its sample, and nowhere else.
    assert np.allclose(scored.batch["rm_scores"].sum(dim=1).numpy(), flags["score"], atol=1e-6)


@pytest.mark.usefixtures("one_node")
async def test_a_dead_meta_judge_holds_the_step_until_it_is_back(tmp_path, tiny_model):
    back_at = float("inf")
    failing = asyncio.Event()

    def faults(number: int, body: bytes) -> Fault | None:
        if number == 20:
            failing.set()
        return Fault(kind="status", status=503) if time.monotonic() < back_at else None

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    texts = [f"Tide {number}.\n\n\\boxed{{A}}" for number in range(48)]
    rows = [judge_row(example(), number) for number in range(len(texts))]
    async with ChatServer(answer=meta_answer, faults=faults) as server:
        settings = RewardSettings.of(
            {
                "meta_judge": "test",
                "meta_judge_url": server.url,
                "deadline": 0.2,
                "outage_patience": 60.0,
                "first_wait": 0.2,
            }
        )
        config = configuration(tmp_path, tiny_model, settings, workers=1)
        manager = await asyncio.to_thread(RewardLoopManager, config)
        scoring = asyncio.create_task(
            asyncio.to_thread(manager.compute_rm_score, batch_of(tokenizer, rows, texts))
        )
        await failing.wait()
        await asyncio.sleep(1.0)
        assert not scoring.done()
        back_at = time.monotonic()
        scored = await scoring
    ok = scored.non_tensor_batch["judge_ok"] == 1
    # Fewer failures than the breaker's minimum are no outage yet.
    assert (~ok).sum() < Limits().minimum
    assert set(scored.non_tensor_batch["score"][ok]) == {1.0}


@pytest.mark.usefixtures("one_node")
async def test_a_policy_gets_its_reward_from_our_service(tmp_path, tiny_model):
    """`docs/rlhf.md`, verl: what stands there, through verl's own manager."""
    answers = {"good": 1.0, "bad": -1.0, "left": 0.0, "mute": 0.0}
    rows: list[dict[str, Any]] = [
        {
            "prompt": [TURN],
            "data_source": "tides",
            "reward_model": {"ground_truth": "fair"},
            "extra_info": {"id": f"tide-{number}", "messages": [TURN]},
        }
        for number in range(len(answers))
    ]
    config = configuration(tmp_path, tiny_model, RewardSettings.of({"reward": "outcome"}), workers=1)
    async with service(WordJudge()) as url:
        with open_dict(config):
            config.reward.custom_reward_function = as_documented(url)
        manager = await asyncio.to_thread(RewardLoopManager, config)
        data = batch_of(AutoTokenizer.from_pretrained(tiny_model), rows, list(answers))
        scored = await asyncio.to_thread(manager.compute_rm_score, data)
    assert list(scored.non_tensor_batch["score"]) == list(answers.values())
    assert list(scored.non_tensor_batch["judge_ok"]) == [1.0, 1.0, 1.0, 0.0]
    assert list(scored.non_tensor_batch["order_disagreement"]) == [0.0, 0.0, 1.0, 0.0]


def as_documented(url: str) -> Mapping[str, Any]:
    """The three lines of docs/rlhf.md, as the keys they set."""
    page = (Path(__file__).parents[2] / "docs" / "rlhf.md").read_text()
    lines = [line for line in page.splitlines() if "reward.custom_reward_function." in line and "=" in line]
    assert len(lines) == 3
    options = [line.strip().lstrip("+").replace("http://127.0.0.1:8765", url) for line in lines]
    return OmegaConf.from_dotlist(options).reward.custom_reward_function


def nodes_of(manager: RewardLoopManager) -> list[str]:
    """The node that each reward worker runs on."""
    # A lambda travels by value: no worker has this module.
    where = lambda worker: ray.get_runtime_context().get_node_id()  # noqa: E731
    return ray.get([worker.__ray_call__.remote(where) for worker in manager.reward_loop_workers])

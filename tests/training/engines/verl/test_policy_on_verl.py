"""`ralign policy --engine verl` from flags to a published policy; verl is a stand-in here."""

import asyncio
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.serving.judges import WordJudge, service
from tests.training.gardens import save_policy, write_prompts

from ralign.cli import app
from ralign.errors import InputError
from ralign.files.parquet import read_rows
from ralign.training.engines.verl.files import VerlFiles

STUB = Path(__file__).parent / "verl_stub.py"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verl-policy") / "start"
    save_policy(path)
    return path


@pytest.fixture
def policy(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    stub = tmp_path / "python"
    stub.write_text(f'#!/bin/sh\n[ "$1" = -W ] && shift 2\nexec {shlex.quote(sys.executable)} {STUB} "$@"\n')
    stub.chmod(0o755)
    prompts = write_prompts(tmp_path / "prompts.jsonl")

    def run(*arguments: Any) -> int:
        given = [
            "policy", prompts, "--model", start, "--out", tmp_path / "run", "--engine", "verl", "--algorithm", "ppo",
            "--group-size", 1, "--batch", 4, "--gpus-per-node", 1, "--max-prompt-tokens", 16,
            "--max-completion-tokens", 6, "--verl-python", stub, *arguments,
        ]  # fmt: skip
        return app([str(argument) for argument in given])

    return run


async def test_the_flags_become_verls_and_a_row_holds_all_that_the_reward_needs(
    policy, tmp_path: Path
) -> None:
    url = "http://127.0.0.1:1"
    assert policy("--reward-url", url, "--dry-run", "--deadline", 30, "--token-variable", "MY_TOKEN") == 0
    files = VerlFiles(out=tmp_path / "run")
    written = yaml.safe_load(files.config.read_text())
    assert written["algorithm"]["adv_estimator"] == "gae"
    assert written["reward"]["custom_reward_function"] == {
        "path": "pkg://ralign.serving.client",
        "name": "compute_score",
        "reward_kwargs": {"url": url, "token_variable": "MY_TOKEN", "deadline": 30.0},
    }
    _, row = next(read_rows(files.data, "data"))
    turn = {"role": "user", "content": "what rose"}
    assert row == {
        "data_source": "policy",
        "prompt": [turn],
        "reward_model": {"style": "rule", "ground_truth": "dig sow"},
        "extra_info": {"index": 0, "id": "rose", "messages": [turn]},
    }
    assert not files.checkpoints.exists()


async def test_a_policy_is_rewarded_by_the_service_and_published(policy, tmp_path: Path) -> None:
    """The stand-in asks the reward function of the configuration for a reward a row, as verl's workers do."""
    judge = WordJudge()
    async with service(judge) as url:
        assert await asyncio.to_thread(policy, "--reward-url", url) == 0
    # Eight prompts in both orders.
    assert judge.asked.total() == 16
    assert {pair.response_b for pair in judge.pairs} == {"dig sow"}
    card = (tmp_path / "run/model/README.md").read_text()
    assert "Reinforcement learning (PPO)" in card
    assert "by a reward service" in card


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("--judge", "j"), "--engine verl needs --reward-url"),
        (("--reward-url", "u", "--stop-when", "length > 1"), "--stop-when is for --engine trl"),
        (("--reward-url", "u", "--lora-rank", 8), "--lora-rank is for --engine trl"),
        (("--reward-url", "u", "--concurrency", 8), "--engine verl with --concurrency"),
    ],
)
def test_what_verl_cannot_do_is_refused(policy, given, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        policy(*given, "--dry-run")

"""Two processes train one model, as two GPUs would: `accelerate launch -m ralign train`, here by torchrun on CPUs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.training.toy_judge import prepared, toy_config, train

from ralign.training.checkpoints import checkpoints
from ralign.training.train_log import read_steps

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_two_processes_share_a_step_and_the_first_alone_writes(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    reward = {"stage": "rl", "reward": "outcome", "group_size": 2, "steps": 4}
    alone = toy_config(folder, tmp_path / "alone", **reward)
    train(alone)
    shape = ("--max-prompt-tokens", 96, "--max-completion-tokens", 32, "--batch", 8, "--micro-batch", 4)
    given = (
        "--model",
        folder / "start",
        "--judge-prompt",
        folder / "judge_prompt.txt",
        "--learning-rate",
        1e-3,
    )
    run = (
        "--stage",
        "rl",
        "--reward",
        "outcome",
        "--group-size",
        2,
        "--steps",
        4,
        "--save-every",
        2,
        "--limit",
        64,
    )
    launch = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", 2, "-m", "ralign", "train")
    out = tmp_path / "together"
    done = subprocess.run(
        [*map(str, (*launch, folder / "train.jsonl", *given, *shape, *run, "--out", out))],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 1/4") == 1
    logs = [read_steps(each / "train_log.jsonl") for each in (alone.training.out, out)]
    assert [step.pairs for step in logs[0]] == [step.pairs for step in logs[1]]
    found = checkpoints(out / "checkpoints")
    assert [each.step for each in found] == [2, 4]
    for each in found:
        assert {"rng_state_0.pth", "rng_state_1.pth", "complete.json"} < {
            path.name for path in each.path.iterdir()
        }
    assert (out / "model" / "model.safetensors").exists()

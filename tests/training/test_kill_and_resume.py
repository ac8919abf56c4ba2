"""`ralign train`, killed with SIGKILL between steps and while it writes a checkpoint, and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.toy_judge import prepared

from ralign.training.checkpoints import MARKER, checkpoints
from ralign.training.train_log import read_steps

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def start(folder: Path, out: Path, *, killed_at: str = "") -> subprocess.Popen[str]:
    shape = ("--max-prompt-tokens", 96, "--max-completion-tokens", 32, "--batch", 8, "--micro-batch", 4)
    run = ("--stage", "rl", "--reward", "outcome", "--group-size", 2, "--steps", 8, "--save-every", 2)
    given = ("--model", folder / "start", "--judge-prompt", folder / "judge_prompt.txt", "--out", out)
    arguments = ("train", folder / "train.jsonl", *given, *shape, *run, "--learning-rate", 1e-3)
    script = Path(__file__).with_name("killed_train.py")
    return subprocess.Popen(
        [sys.executable, script, killed_at, *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


@pytest.mark.slow
def test_a_killed_run_sees_the_same_data_and_ends_in_the_same_weights(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finished(start(folder, undisturbed))

    # Inside the writing of the second checkpoint: its weights are there, its state is not.
    process = start(folder, killed, killed_at="checkpoint-4/trainer_state.json")
    process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL
    partial = killed / "checkpoints" / "checkpoint-4"
    assert (partial / "model.safetensors").exists()
    assert not (partial / MARKER).exists()

    # Between two steps of the second attempt.
    process = start(folder, killed)
    deadline = time.monotonic() + 240
    while len(read_steps(killed / "train_log.jsonl")) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    said, _ = process.communicate()
    assert "checkpoint-4 was not complete and is removed" in said
    assert "going on from step 2" in said

    said = finished(start(folder, killed))
    assert "going on from step 4" in said
    logs = [read_steps(out / "train_log.jsonl") for out in (undisturbed, killed)]
    assert [step.step for step in logs[1]] == list(range(1, 9))
    assert [step.pairs for step in logs[0]] == [step.pairs for step in logs[1]]
    weights = [load_file(out / "model" / "model.safetensors") for out in (undisturbed, killed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert [each.step for each in checkpoints(killed / "checkpoints")] == [6, 8]

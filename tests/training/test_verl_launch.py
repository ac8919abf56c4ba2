import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from tests.training.reward_pieces import make_pair
from tests.training.verl_pieces import example

from ralign.errors import EndpointRefused, InputError
from ralign.files import find_pairs_files
from ralign.files.parquet import read_rows
from ralign.models.testing.server import ChatServer
from ralign.training.verl_job import ServedMetaJudge, VerlFiles, VerlJob
from ralign.training.verl_launch import (
    EngineFailed,
    ask_meta_judge_once,
    check_run,
    last_step,
    launch,
    write_run,
)
from ralign.training.verl_worker import RewardSettings

JOB = VerlJob(model="start", steps=4, batch=8)
REWARD = RewardSettings(meta_judge="test", meta_judge_url="http://127.0.0.1:9/v1")


def program(path: Path, script: str) -> str:
    """A stand-in for the Python that verl is installed for."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def files(tmp_path) -> VerlFiles:
    return VerlFiles(out=tmp_path / "run with a space")


def test_all_that_verl_needs_is_written(files):
    write_run(JOB, REWARD, files, [example(), example(make_pair("pier"), "ba")], python=sys.executable)
    assert sorted(path.name for path in files.folder.iterdir()) == [
        "config.yaml",
        "launch.sh",
        "train.parquet",
    ]
    config = yaml.safe_load(files.config.read_text())
    assert config["data"]["train_files"] == str(files.data)
    kwargs = config["reward"]["custom_reward_function"]["reward_kwargs"]
    assert RewardSettings(**kwargs) == replace(REWARD, reward_log=str(files.rewards))
    assert len(list(read_rows(files.data, "data"))) == 2
    assert find_pairs_files([str(files.data)])


def test_the_launch_command_passes_overrides_on(files, tmp_path):
    python = program(tmp_path / "my python", 'printf "%s\\n" "$@"')
    write_run(JOB, REWARD, files, [example()], python=python)
    command = [str(files.launch), "trainer.nnodes=2"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout.splitlines()
    told = ["--config-path", str(files.folder), "--config-name", "config", "trainer.nnodes=2"]
    assert said == ["-m", "verl.trainer.main_ppo", *told]


def test_a_failed_engine_is_an_error_in_one_line(files, tmp_path):
    write_run(JOB, REWARD, files, [example()], python=program(tmp_path / "python", "exit 3"))
    with pytest.raises(EngineFailed, match="verl ended with exit code 3"):
        launch(files)


def test_a_reward_without_anyone_to_ask_is_refused_before_anything_is_written(files):
    with pytest.raises(InputError, match="needs a meta-judge"):
        write_run(JOB, RewardSettings(meta_judge="test"), files, [example()], python=sys.executable)
    assert not files.folder.exists()


def test_a_meta_judge_that_verl_serves_needs_no_address(files):
    job = VerlJob(model="start", steps=4, batch=8, served_meta_judge=ServedMetaJudge(model="meta"))
    write_run(job, RewardSettings(meta_judge="meta"), files, [example()], python=sys.executable)
    assert yaml.safe_load(files.config.read_text())["reward"]["reward_model"]["enable"]


@pytest.mark.skipif(find_spec("verl") is not None, reason="verl is installed here")
def test_where_verl_is_not_installed_the_check_says_how_to_install_it(files, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    write_run(JOB, REWARD, files, [example()], python=sys.executable)
    with pytest.raises(
        InputError, match=r"has not all that the engine verl needs \(No module named .*ralign\[verl\]"
    ):
        check_run(files, python=sys.executable)


def test_what_the_check_says_is_passed_on(files, tmp_path):
    write_run(JOB, REWARD, files, [example()], python=sys.executable)
    noted = program(tmp_path / "noted", "echo chatter; echo 'note: needs vllm'")
    assert check_run(files, python=noted) == ["needs vllm"]
    refused = program(tmp_path / "refused", "echo warning >&2; echo 'verl has no such.key' >&2; exit 2")
    with pytest.raises(InputError, match=r"^verl has no such\.key$"):
        check_run(files, python=refused)
    with pytest.raises(InputError, match="cannot be run"):
        check_run(files, python=str(tmp_path / "nowhere"))


def test_the_last_step_is_verls_last_whole_checkpoint(files):
    assert last_step(files) is None
    files.checkpoints.mkdir(parents=True)
    (files.checkpoints / "latest_checkpointed_iteration.txt").write_text("40")
    assert last_step(files) == 40
    assert files.model_of(40) == files.folder / "checkpoints" / "global_step_40" / "actor" / "huggingface"


async def test_a_meta_judge_is_asked_once_before_a_launch(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with ChatServer(answer=lambda request: "yes", key="sesame") as server:
        with pytest.raises(EndpointRefused, match="set OPENAI_API_KEY"):
            await ask_meta_judge_once(RewardSettings(meta_judge="test", meta_judge_url=server.url))
    async with ChatServer(answer=lambda request: "yes") as server:
        await ask_meta_judge_once(RewardSettings(meta_judge="test", meta_judge_url=server.url))
        assert server.arrived == 1
    await ask_meta_judge_once(RewardSettings(meta_judge="served by verl"))

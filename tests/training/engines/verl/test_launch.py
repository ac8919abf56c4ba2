import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ralign.errors import InputError
from ralign.files import write_atomically
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.engines.verl.launch import EngineFailed, check_run, launch, write_launch


def program(path: Path, script: str) -> str:
    """A stand-in for the Python that verl is installed for."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def files(tmp_path) -> VerlFiles:
    made = VerlFiles(out=tmp_path / "run with a space")
    write_atomically(made.config, b"data: {}\n")
    return made


def test_the_launch_command_passes_overrides_on(files, tmp_path):
    write_launch(files, python=program(tmp_path / "my python", 'printf "%s\\n" "$@"'))
    command = [str(files.launch), "trainer.nnodes=2"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout.splitlines()
    given = ["--config-path", str(files.folder), "--config-name", "config", "trainer.nnodes=2"]
    assert said == ["-m", "verl.trainer.main_ppo", *given]


def test_a_failed_engine_is_an_error_in_one_line(files, tmp_path):
    write_launch(files, python=program(tmp_path / "python", "exit 3"))
    with pytest.raises(EngineFailed, match="verl ended with exit code 3"):
        launch(files)


@pytest.mark.skipif(find_spec("verl") is not None, reason="verl is installed here")
def test_where_verl_is_not_installed_the_check_says_how_to_install_it(files, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    with pytest.raises(
        InputError, match=r"has not all that the engine verl needs \(No module named .*ralign\[verl\]"
    ):
        check_run(files, python=sys.executable)


def test_what_the_check_says_is_passed_on(files, tmp_path):
    noted = program(tmp_path / "noted", "echo chatter; echo 'note: needs vllm'")
    assert check_run(files, python=noted) == ["needs vllm"]
    refused = program(tmp_path / "refused", "echo warning >&2; echo 'verl has no such.key' >&2; exit 2")
    with pytest.raises(InputError, match=r"^verl has no such\.key$"):
        check_run(files, python=refused)
    with pytest.raises(InputError, match="cannot be run"):
        check_run(files, python=str(tmp_path / "nowhere"))


def test_the_last_step_is_verls_last_complete_checkpoint(files):
    assert files.last_step() is None
    files.checkpoints.mkdir(parents=True)
    (files.checkpoints / "latest_checkpointed_iteration.txt").write_text("40")
    assert files.last_step() == 40
    assert files.model_of(40) == files.folder / "checkpoints" / "global_step_40" / "actor" / "huggingface"

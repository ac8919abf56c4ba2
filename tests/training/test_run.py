"""`ralign train` around its engine: the run directory, the dry run, what is refused. The engine here is a few lines."""

import io
import tomllib
from pathlib import Path

import pytest
from rich.console import Console
from tests.training.configs import replaced, train_config
from tests.training.test_examples import pair

from ralign.errors import ConfigMismatch, InputError, RunLocked
from ralign.files import DirectoryLock, write_pairs
from ralign.models import ChatModel
from ralign.training.checkpoints import mark_complete
from ralign.training.config import TrainConfig
from ralign.training.options import Engine
from ralign.training.run import Trained, TrainingRun, run_training
from ralign.training.tasks.judge import JudgeTask
from ralign.training.train_log import Step, encode_step


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    write_pairs(tmp_path / "kitchen.jsonl", [pair(f"dish {number}") for number in range(8)])
    pairs = (str(tmp_path / "kitchen.jsonl"),)
    return train_config(pairs, model="start", out=tmp_path / "run", stage="rl", meta_judge="m", batch=4)


def two_steps(run: TrainingRun) -> Trained:
    """An engine that makes two steps and saves a model."""
    lines = [encode_step(Step(step, {"reward": step / 4}, ("dish 0",))) for step in (1, 2)]
    run.log_file.write_bytes(b"\n".join([*lines, b""]))
    run.unfinished.mkdir()
    (run.unfinished / "model.safetensors").write_bytes(b"w")
    return Trained(run.data)


def command(config: TrainConfig, engine=two_steps) -> str:
    file = io.StringIO()
    task = JudgeTask.load(config)
    run_training(task, lambda name: engine, no_local_model, Console(file=file, width=200))
    return file.getvalue()


def no_local_model(name: str) -> ChatModel:
    raise AssertionError(f"{name} is not to be loaded")


def test_a_run_leaves_a_model_with_its_card_its_config_and_its_log(config: TrainConfig) -> None:
    assert f"The judge: {config.training.out}/model" in command(config)
    folder = config.training.out / "model"
    names = {"model.safetensors", "README.md", "config.toml", "train_log.jsonl"}
    assert {path.name for path in folder.iterdir()} == names
    written = tomllib.loads((folder / "config.toml").read_text())
    assert written["train"]["meta_judge"] == "m"
    assert {"judge_prompt_digest", "meta_prompt_digest", "pairs_digest"} < written["fingerprint"].keys()
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nbase_model: start\n")
    assert "with a rationale that rests on gold's decisive points" in card
    assert "| reward | 0.375 |" in card  # the mean of 0.25 and 0.5


def test_a_dry_run_loads_no_engine_and_writes_nothing(config: TrainConfig) -> None:
    def no_engine(name: Engine):
        raise AssertionError("a dry run loads no engine")

    file = io.StringIO()
    dry = replaced(config, dry_run=True, price=("m=1/2",))
    result = run_training(JudgeTask.load(dry), no_engine, no_local_model, Console(file=file, width=200))
    assert result.model is None
    assert "rl: 2 steps of 4 prompts and 8 completions each: 64 completions" in file.getvalue()
    assert "meta-judge: up to 64 calls" in file.getvalue()
    assert "in money" in file.getvalue()
    assert not config.training.out.exists()


@pytest.mark.parametrize("field", ["temperature", "seed", "model"])
def test_another_config_in_the_same_directory_is_refused_naming_the_field(
    config: TrainConfig, field: str
) -> None:
    command(config)
    other = replaced(config, **{field: "other" if field == "model" else 2})
    with pytest.raises(ConfigMismatch, match=f"{field} is .* in this run, and .* was asked for"):
        command(other)


def test_other_pairs_under_the_same_name_are_another_run(config: TrainConfig) -> None:
    command(config)
    write_pairs(Path(config.pairs[0]), [pair(f"soup {number}") for number in range(8)])
    with pytest.raises(ConfigMismatch, match="pairs_digest"):
        command(config)


def test_a_resumed_run_drops_partial_checkpoints_and_the_steps_behind_the_last_complete_one(
    config: TrainConfig,
) -> None:
    def stopped(run: TrainingRun) -> Trained:
        two_steps(run)
        for step in (1, 2):
            (run.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
        mark_complete(run.checkpoints / "checkpoint-1", run.digest)
        raise KeyboardInterrupt

    def goes_on(run: TrainingRun) -> Trained:
        assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-1"]
        assert len(run.log_file.read_bytes().splitlines()) == 1
        assert not run.unfinished.exists()
        return two_steps(run)

    with pytest.raises(KeyboardInterrupt):
        command(config, stopped)
    said = command(config, goes_on)
    assert "checkpoint-2 was not complete and is removed" in said
    assert "going on from step 1" in said


def test_two_processes_do_not_train_in_one_directory(config: TrainConfig) -> None:
    with DirectoryLock(config.training.out), pytest.raises(RunLocked):
        command(config)


def test_a_price_for_a_model_that_is_not_asked_is_refused(config: TrainConfig) -> None:
    with pytest.raises(InputError, match="--price names 'n', which is not the meta-judge"):
        command(replaced(config, price=("n=1/2",)))


def test_another_process_than_the_first_writes_nothing(config: TrainConfig, monkeypatch) -> None:
    monkeypatch.setenv("RANK", "1")

    def sees(run: TrainingRun) -> Trained:
        assert not run.main
        return Trained(run.data)

    assert command(config, sees) == ""
    assert not config.training.out.exists()

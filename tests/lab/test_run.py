"""A tiny run of the whole lab: taken up, repeated, split over processes, and compared with a committed reference.

`PYTHONPATH=src python tests/lab/test_run.py` writes the reference anew, for a change that is meant to move figures.
"""

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from ralign.errors import ConfigMismatch
from ralign.lab.config import LabConfig, ModelConfig, preset_path, read_recipe
from ralign.lab.progress import Milestone, StepDone
from ralign.lab.results import SeedResult, read_result
from ralign.lab.run import folder_name, prepare, run_arm, run_seed
from ralign.lab.seeds import run_seeds

REFERENCE = Path(__file__).with_name("reference.json")


def tiny_config() -> LabConfig:
    config = read_recipe(preset_path("graded"))
    return replace(
        config,
        seed=3,
        model=ModelConfig(width=32, layers=2, heads=2),
        phases=tuple(replace(phase, steps=6, pairs=16, noted=16, answers=8) for phase in config.phases),
        arms=config.arms[:4],
        judge_rl=replace(config.judge_rl, steps=3, prompts=8, group_size=4),
        policy_rl=replace(config.policy_rl, steps=3, prompts=8, group_size=4, evaluated=100),
        benchmark=replace(config.benchmark, pairs=40),
    )


def without_times(result: SeedResult) -> dict[str, object]:
    found = asdict(result)
    for part in (found["base"], *found["arms"]):
        del part["cpu_seconds"]
    for arm in found["arms"]:
        for policy in arm["policies"]:
            del policy["cpu_seconds"]
    return json.loads(json.dumps(found))


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("lab") / "seed-3"
    events = []
    return out, run_seed(tiny_config(), out, events.append), events


def assert_close(found, expected, where=""):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_close(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            assert_close(found[index], value, f"{where}[{index}]")
    else:
        assert found == (pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected), (
            where
        )


def test_a_tiny_run_gives_the_figures_of_the_committed_reference(run):
    """Equal to the bit where it was written; 1e-6 allows for another processor's order of summing."""
    assert_close(without_times(run[1]), json.loads(REFERENCE.read_text()))


def test_the_same_seed_gives_the_same_figures_however_the_work_is_split(run, tmp_path):
    [split] = run_seeds(tiny_config(), [3], tmp_path, jobs=2)
    assert without_times(split) == without_times(run[1])


def test_another_seed_gives_other_figures(run, tmp_path):
    config = replace(tiny_config(), seed=4)
    prepare(config, tmp_path)
    assert without_times(run[1])["arms"][0] != json.loads(
        json.dumps(asdict(run_arm(config, config.arms[0], tmp_path)))
    )


def test_a_finished_stage_is_taken_up_and_not_done_again(run):
    out, result, _ = run
    kept = [out / "base.pt", *(out / folder_name(arm.name) / "policy-1.json" for arm in result.arms)]
    written = [path.stat().st_mtime_ns for path in kept]
    assert run_seed(tiny_config(), out) == result == read_result(SeedResult, out / "result.json")
    assert [path.stat().st_mtime_ns for path in kept] == written


def test_another_recipe_in_the_same_directory_is_refused_by_name(run):
    with pytest.raises(ConfigMismatch, match="another showy"):
        run_seed(replace(tiny_config(), showy=(0.5, 0.5, 0.5, 0.5)), run[0])


def test_every_task_is_told_to_its_last_step_and_every_arm_has_a_line(run):
    _, result, events = run
    last = {event.task: event for event in events if isinstance(event, StepDone)}
    assert {task: event.total for task, event in last.items()} == {
        "seed 3: base model": 12,
        "seed 3: base": 6,
        "seed 3: outcome-only": 9,
        "seed 3: r-align": 9,
        f"seed 3: {result.arms[3].name}": 9,
    }
    assert all(event.done == event.total for event in last.values())
    lines = [event.line for event in events if isinstance(event, Milestone)]
    assert len(lines) == 2 + len(result.arms)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures = without_times(run_seed(tiny_config(), Path(folder)))
    REFERENCE.write_text(json.dumps(figures, indent=1) + "\n")

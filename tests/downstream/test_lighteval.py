"""lighteval's runs, with a stand-in for its program that leaves lighteval's files (`lighteval_stand_in.py`)."""

import json
import sys
from pathlib import Path

import pytest

from ralign.downstream.lighteval import Policy, Run, find_program, plan_runs, run_lighteval
from ralign.downstream.results_files import read_results
from ralign.errors import ConfigMismatch, InputError, RalignError

STAND_IN = Path(__file__).with_name("lighteval_stand_in.py")


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "env" / "bin" / "lighteval"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    path.chmod(0o755)
    return find_program(str(tmp_path / "env"))


def policy(*, url: str | None = "http://127.0.0.1:9/v1", temperature: float = 0.6) -> Policy:
    return Policy(
        name="tern-8b", url=url, temperature=temperature, top_p=0.95, max_tokens=2048, seed=3, concurrency=8
    )


def run(
    runs: list[Run], out: Path, *, key: str | None = None, allow_partial: bool = False
) -> dict[str, Path]:
    return run_lighteval(
        runs, policy(), out, key=key, progress=lambda line: None, allow_partial=allow_partial
    )


def asked(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def calls(folder: Path) -> list[str]:
    return (folder / "calls.txt").read_text().split()


def test_each_benchmark_runs_once_in_its_own_folder_with_its_own_cache(program: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs = plan_runs(program, policy(), {"aime24": "aime24@n=2", "ifbench": "ifbench_test"}, out)
    results = run(runs, out)
    assert run(runs, out) == results
    for name, task in (("aime24", "aime24@n=2"), ("ifbench", "ifbench_test")):
        (call,) = asked(out / name)
        assert call["argv"] == [
            "endpoint", "litellm", "model.yaml", task, "--output-dir", "out", "--save-details",
        ]  # fmt: skip
        assert call["model"] == {
            "model_name": "openai/tern-8b",
            "provider": "openai",
            "base_url": "http://127.0.0.1:9/v1",
            "concurrent_requests": 8,
            "cache_dir": str(out / name / "cache"),
            "generation_parameters": {"temperature": 0.6, "top_p": 0.95, "max_new_tokens": 2048, "seed": 3},
        }
    (file,) = read_results([str(results["ifbench"])], allow_partial=False)
    assert file.figures[0].value == 1.0


def test_the_key_goes_through_the_environment_and_into_no_file(program: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(plan_runs(program, policy(), {"ifbench": "ifbench_test"}, out), out, key="sk-secret")
    assert asked(out / "ifbench")[0]["key"] == "sk-secret"
    (out / "ifbench" / "asked.jsonl").unlink()  # the stand-in's own
    assert not any(b"sk-secret" in path.read_bytes() for path in out.rglob("*") if path.is_file())


def test_without_a_url_the_policy_is_loaded_by_vllm(program: str, tmp_path: Path) -> None:
    local = policy(url=None)
    (one,) = plan_runs(program, local, {"ifbench": "ifbench_test"}, tmp_path)
    assert one.command[1:4] == ("vllm", "model.yaml", "ifbench_test")
    document = json.dumps(local.document(tmp_path / "cache"))
    assert '"model_name": "tern-8b"' in document
    assert "base_url" not in document


def test_a_run_that_broke_off_goes_on_and_asks_only_what_failed(program: str, tmp_path: Path) -> None:
    """Lighteval keeps failures in its cache: without taking them out, it would break off again."""
    out = tmp_path / "out"
    runs = plan_runs(program, policy(), {"aime24": "aime24@n=2"}, out)
    out.mkdir()
    (out / "failing").write_text("1 3")
    with pytest.raises(
        RalignError, match="aime24: lighteval ended with 1: IndexError: list index out of range"
    ):
        run(runs, out)
    (out / "failing").unlink()
    (file,) = read_results([str(run(runs, out)["aime24"])], allow_partial=False)
    assert file.figures[0].value == 1.0
    assert calls(out / "aime24") == ["0", "1", "2", "3", "1", "3"]


def test_calls_that_failed_without_breaking_off_are_asked_again(program: str, tmp_path: Path) -> None:
    """With one answer a question lighteval scores them as wrong and ends well."""
    out = tmp_path / "out"
    runs = plan_runs(program, policy(), {"ifbench": "ifbench_test"}, out)
    out.mkdir()
    (out / "failing").write_text("2")
    first = run(runs, out)["ifbench"]
    with pytest.raises(InputError, match="1 of 4 answers to ifbench_test are empty"):
        read_results([str(first)], allow_partial=False)
    assert run(runs, out, allow_partial=True)["ifbench"] == first
    (out / "failing").unlink()
    second = run(runs, out)["ifbench"]
    (file,) = read_results([str(second)], allow_partial=False)
    assert (second != first, file.figures[0].value) == (True, 1.0)
    assert calls(out / "ifbench") == ["0", "1", "2", "3", "2"]


def test_another_policy_in_the_same_directory_is_refused(program: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs = plan_runs(program, policy(), {"ifbench": "ifbench_test"}, out)
    run(runs, out)
    with pytest.raises(ConfigMismatch, match=r"temperature is 0\.6 in this run, and 1\.0 was asked for"):
        run_lighteval(
            runs, policy(temperature=1.0), out, key=None, progress=lambda line: None, allow_partial=False
        )


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no program there; expected lighteval's, or its environment"):
        find_program(str(tmp_path))

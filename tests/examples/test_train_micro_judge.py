"""Issue 4's end to end run: a tiny Qwen3, a meta-judge behind HTTP, SFT, R-Align, saved, loaded, benchmarked."""

import json
import tomllib
from pathlib import Path

import pytest
from examples.train_micro_judge import main
from transformers import AutoModelForCausalLM, AutoTokenizer

from ralign.training.train_log import read_steps


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[dict[str, float], Path]:
    out = tmp_path_factory.mktemp("micro-judge")
    return main(["--small", "--out", str(out)]), out


def test_r_align_raises_the_f_score_above_the_start_and_above_the_warm_start(trained) -> None:
    scores, out = trained
    assert scores["start"] == 0.0  # random weights say nothing
    assert scores["r-align"] > scores["sft"] + 0.05
    results = {name: _results(out / f"bench-{name}") for name in ("sft", "r-align")}
    assert results["sft"]["counts"]["meta_failed"] == results["r-align"]["counts"]["meta_failed"] == 0
    assert (
        results["r-align"]["spurious_correctness"]["value"] < results["sft"]["spurious_correctness"]["value"]
    )


def test_the_trained_judge_is_a_model_that_transformers_loads(trained) -> None:
    folder = trained[1] / "rl" / "model"
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.model_type == "qwen3"
    assert AutoTokenizer.from_pretrained(folder).chat_template


def test_what_a_judge_was_trained_on_is_saved_beside_it(trained) -> None:
    folder = trained[1] / "rl" / "model"
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["train"]["reward"] == "ralign"
    assert config["versions"]["trl"]
    assert config["fingerprint"]["pairs_digest"]
    card = (folder / "README.md").read_text()
    assert "Meta-judge in training: exact." in card
    assert "| ralign/meta_failed | 0 |" in card


def test_every_step_logs_its_pairs_and_the_rates_of_its_rewards(trained) -> None:
    steps = read_steps(trained[1] / "rl" / "train_log.jsonl")
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert all(len(set(step.pairs)) == len(step.pairs) == 24 for step in steps)
    assert {"ralign/label_right", "ralign/asked", "ralign/not_scored"} < steps[0].metrics.keys()
    # No pair comes twice before all have come once.
    pairs = [pair for step in steps for pair in step.pairs]
    assert len(set(pairs)) == len(pairs)


def _results(run: Path):
    (measured,) = json.loads((run / "results.json").read_text())["benchmarks"].values()
    return measured

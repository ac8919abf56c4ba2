"""`ralign policy` as a user runs it: TRL trains a tiny policy, a judge behind HTTP rewards it.

Every run here is a few seconds; what is slow is in `test_policy_in_toy_environment.py`.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.serving.judges import WordJudge, service
from tests.training.gardens import (
    JUDGE_PROMPT,
    counts,
    failing,
    read_jsonl,
    save_policy,
    serving,
    write_prompts,
)
from transformers import AutoModelForCausalLM

from ralign.cli import app
from ralign.errors import ConfigMismatch, InputError
from ralign.rewards.length_penalty import SteeredLengthPenalty
from ralign.rewards.stop_rules import StopRules
from ralign.training.tasks.reward_hacking_watch import RewardHackingWatch

# TRL's and torch's own, on their way to later versions.
pytestmark = pytest.mark.filterwarnings("default")

SMALL = (
    "--batch", 8, "--group-size", 8, "--micro-batch", 64, "--learning-rate", 3e-2, "--max-prompt-tokens", 16,
    "--max-completion-tokens", 6, "--save-every", 1000,
)  # fmt: skip


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "start"
    save_policy(path)
    return path


@pytest.fixture
def policy(start: Path, tmp_path: Path) -> Callable[..., int]:
    prompts = write_prompts(tmp_path / "prompts.jsonl")
    (tmp_path / "judge_prompt.txt").write_text(JUDGE_PROMPT)

    def run(*arguments: Any, judged: bool = True) -> int:
        pairs = zip(SMALL[::2], SMALL[1::2], strict=True)
        small = [word for name, value in pairs if name not in arguments for word in (name, value)]
        given = ["policy", prompts, "--model", start, "--out", tmp_path / "run", *small, *arguments]
        if judged:
            given += ["--judge-prompt", tmp_path / "judge_prompt.txt", "--judge", "j"]
        return app([str(argument) for argument in given])

    return run


def metric(out: Path, name: str) -> list[float]:
    return [line["metrics"][name] for line in read_jsonl(out / "train_log.jsonl")]


def test_a_policy_learns_what_its_judge_wants_and_is_left_as_a_model(policy, tmp_path: Path) -> None:
    """From losing nearly always to winning nearly always, in both orders, in twenty steps."""
    with serving(counts("water")) as server:
        assert policy("--judge-url", server.url, "--steps", 20, "--length-penalty", "none") == 0
    out = tmp_path / "run"
    scores = metric(out, "judge/score")
    assert len(scores) == 20
    assert scores[0] < -0.3
    assert sum(scores[-3:]) / 3 > 0.6
    signs = read_jsonl(out / "signs.jsonl")
    assert [line["step"] for line in signs] == list(range(1, 21))
    assert signs[-1]["score"] == pytest.approx(scores[-1])
    assert {path.name for path in (out / "model").iterdir()} >= {
        "README.md", "config.toml", "model.safetensors", "signs.jsonl", "tokenizer.json", "train_log.jsonl"
    }  # fmt: skip
    assert (
        "compared with its prompt's reference answer by the judge j" in (out / "model/README.md").read_text()
    )
    AutoModelForCausalLM.from_pretrained(out / "model")


def test_a_rule_stops_it_and_the_same_command_without_goes_on_with_the_same_length_penalty(
    policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that grows longer and longer is stopped, and what it cost is not lost."""
    out = tmp_path / "run"
    with serving(counts("water")) as server:
        given = ("--judge-url", server.url, "--steps", 5)
        assert policy(*given, "--stop-when", "length > 0 for 3") == 1
        assert "Stopped: stop rule 'length > 0 for 3 steps' fired at step 3" in " ".join(
            capsys.readouterr().out.split()
        )
        assert not (out / "model").exists()
        assert len(read_jsonl(out / "signs.jsonl")) == 3
        lengths = SteeredLengthPenalty("dynamic", coefficient=0.1)
        kept = RewardHackingWatch(lengths, StopRules([]), group_size=8)
        kept.restore(out / "checkpoints/checkpoint-3")
        stopped = lengths.state
        assert stopped.steps == 3
        assert policy(*given) == 0
    assert "going on from step 3" in capsys.readouterr().out
    assert [line["step"] for line in read_jsonl(out / "train_log.jsonl")] == [1, 2, 3, 4, 5]
    coefficients = metric(out, "judge/length_coefficient")
    assert coefficients[0] == pytest.approx(0.1)
    assert coefficients[3] == pytest.approx(stopped.coefficient)
    assert len(set(coefficients)) == 5
    kept.restore(out / "checkpoints/checkpoint-5")
    assert lengths.state.steps == 5


def test_several_updates_a_rollout_are_clipped_and_one_is_not(policy, tmp_path: Path) -> None:
    """With one update the policy that learns is the one that sampled: its ratio is 1, whatever the clipping range."""
    clipped: dict[str, list[float]] = {}
    weights = {}
    with serving(counts("water")) as server:
        given = ("--judge-url", server.url, "--steps", 2, "--micro-batch", 16)
        mini = ("--mini-batch", 2, "--clip")
        for name, more in {"one": (), "tight": (*mini, 0.01), "wide": (*mini, 0.9)}.items():
            assert policy(*given, *more) == 0
            clipped[name] = metric(tmp_path / "run", "clip_ratio/region_mean")
            steps = [line["step"] for line in read_jsonl(tmp_path / "run/signs.jsonl")]
            assert steps == [line["step"] for line in read_jsonl(tmp_path / "run/train_log.jsonl")] == [1, 2]
            weights[name] = load_file(tmp_path / "run/model/model.safetensors")
            (tmp_path / "run").rename(tmp_path / name)
    assert max(clipped["one"]) == 0
    assert clipped["tight"][0] > clipped["wide"][0]
    assert any(not torch.equal(weights["tight"][part], weights["wide"][part]) for part in weights["one"])


def test_a_group_is_its_own_reference(policy, tmp_path: Path) -> None:
    with serving(counts("water")) as server:
        given = ("--against", "group", "--neighbors", 1, "--side", "drawn", "--length-penalty", "none")
        assert policy("--judge-url", server.url, "--steps", 2, *given) == 0
        # One comparison an answer at most, in one order; two steps of 64 answers, and the preflight.
        assert 1 < server.arrived <= 129
    assert metric(tmp_path / "run", "judge/unscored") == [0.0, 0.0]


def test_an_answer_without_a_verdict_is_left_out_of_its_group_and_counted(policy, tmp_path: Path) -> None:
    """Not scored, never 0."""
    with serving(failing(counts("water"), every=5)) as server:
        assert policy("--judge-url", server.url, "--steps", 1) == 0
    (line,) = read_jsonl(tmp_path / "run/train_log.jsonl")
    assert 0 < line["metrics"]["judge/unscored"] < 0.5
    # TRL's own mean is over the scored.
    assert line["metrics"]["rewards/judge/mean"] == pytest.approx(line["metrics"]["signs/reward"], abs=1e-5)


async def test_a_running_service_rewards_it(policy, tmp_path: Path) -> None:
    judge = WordJudge(lambda pair, order: "A" if "water" in pair.response_a else "B")
    async with service(judge, length_penalty="fixed", length_coefficient=0.1) as url:
        run = asyncio.to_thread(policy, "--reward-url", url, "--steps", 2, judged=False)
        assert await run == 0
    assert judge.asked.total() > 0
    assert all(penalty >= 0 for penalty in metric(tmp_path / "run", "judge/length_penalty"))
    assert any(metric(tmp_path / "run", "judge/length_penalty"))


def test_a_second_judge_is_asked_now_and_then_and_shows_where_the_two_drift_apart(
    policy, tmp_path: Path
) -> None:
    def both(request):
        return counts("water" if request.fields["model"] == "j" else "wait")(request)

    with serving(both) as server:
        given = ("--second-judge", "k", "--second-judge-every", 2)
        assert policy("--judge-url", server.url, "--steps", 3, *given) == 0
        asked = [request.fields["model"] for request in server.requests]
    assert 0 < asked.count("k") < asked.count("j")
    seconds = [line["second_score"] for line in read_jsonl(tmp_path / "run/signs.jsonl")]
    assert [second is None for second in seconds] == [False, True, False]


def test_a_dry_run_says_what_it_would_take_and_loads_nothing(policy, tmp_path: Path, capsys) -> None:
    """8 x 8 x 5 answers in both orders: 640 judgments of 100 tokens, at 10,000 a million 640.00."""
    given = ("--steps", 5, "--dry-run", "--price", "j=0/10000", "--expected-judgment-tokens", 100)
    assert policy("--judge-url", "http://localhost:1/v1", *given) == 0
    printed = capsys.readouterr().out
    assert "rl: 5 steps of 8 prompts and 8 completions each: 320 completions" in printed
    assert "judge: up to 640 calls" in printed
    assert "64,000 out, 640.00 in money" in printed
    assert not (tmp_path / "run").exists()


def test_another_training_in_the_same_directory_is_refused(policy, tmp_path: Path) -> None:
    with serving(counts("water")) as server:
        given = ("--judge-url", server.url, "--steps", 1)
        assert policy(*given) == 0
        with pytest.raises(ConfigMismatch, match=r"format_penalty is 0.5 in this run, and 1.0 was asked for"):
            policy(*given, "--format-penalty", 1.0)
        assert policy(*given) == 0  # trained already


def test_prompts_without_a_reference_are_left_out_and_listed(policy, tmp_path: Path, capsys) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(path.read_text().replace('"reference_answer": "dig sow"', '"reference_answer": " "', 1))
    with pytest.raises(InputError, match="7 prompts can be trained on, and a step takes 8"):
        policy("--judge-url", "http://localhost:1/v1", "--steps", 1)
    assert "left out 1: no reference answer in the column reference_answer (rose)" in capsys.readouterr().out

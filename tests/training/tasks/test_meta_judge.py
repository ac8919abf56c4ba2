"""A small meta-judge learns to imitate a strong one, and takes its place: a user's commands, end to end."""

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.training.configs import train_config
from tests.training.toy_meta_judge import strong_answer, write_meta_world
from transformers import AutoModelForCausalLM

from ralign.cli import app
from ralign.errors import InputError
from ralign.evals.calibrate.decisions import run_decisions
from ralign.evals.calibrate.labelled import labelled_by_run
from ralign.evals.calibrate.measure import calibration
from ralign.models.testing.server import ChatServer
from ralign.training.train_log import read_steps

SFT = ["--stage", "sft", "--steps", "100", "--batch", "32", "--learning-rate", "1e-2", "--schedule", "linear"]
SIZES = [
    "--max-prompt-tokens",
    "64",
    "--max-completion-tokens",
    "24",
    "--micro-batch",
    "32",
    "--save-every",
    "500",
]


def ralign(*arguments: object) -> None:
    assert not app([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world, and the strong meta-judge's run over it."""
    folder = tmp_path_factory.mktemp("meta")
    write_meta_world(folder, pairs=200)

    async def strong_run() -> None:
        async with ChatServer(answer=strong_answer) as server:
            asked = ["--meta-judge", "strong", "--meta-judge-url", server.url, *judged(folder)]
            await asyncio.to_thread(
                ralign,
                "bench",
                folder / "pairs.jsonl",
                *asked,
                "--out",
                folder / "strong",
            )

    asyncio.run(strong_run())
    return folder


def judged(folder: Path) -> list[object]:
    return [
        "--judgments", folder / "judgments.jsonl", "--orders", "both", "--meta-prompt", folder / "meta_prompt.txt"
    ]  # fmt: skip


def agreement(folder: Path, bench: list[str], out: Path) -> dict[str, Any]:
    """Of a local meta-judge with the strong one, on the pairs that were held out; `bench` is the command."""
    # The start is hardly ever read.
    ralign(*bench, "--meta-temperature", 0, "--meta-max-tokens", 24, "--keep-going", "--out", out)
    strong = labelled_by_run(folder / "strong")
    return calibration(strong, [run_decisions(strong.judgments, out, "local")])["meta_judges"][0]


def test_a_small_model_learns_to_decide_as_the_strong_meta_judge_does(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured by the line that training ends with, for the trained model and for the start."""
    role = [
        "--role",
        "meta-judge",
        "--judged",
        folder / "strong",
        "--meta-prompt",
        folder / "meta_prompt.txt",
    ]
    trained = [*role, "--held-out", 0.25, *SIZES]
    ralign(
        "train", folder / "pairs.jsonl", "--model", folder / "start", "--out", folder / "sft", *trained, *SFT
    )
    last_line = capsys.readouterr().out.splitlines()[-1]
    bench = shlex.split(last_line.partition("Measure it: ralign ")[2].removesuffix(" --out RUN"))
    model = str(folder / "sft" / "model")
    before = agreement(
        folder, [word.replace(model, str(folder / "start")) for word in bench], tmp_path / "before"
    )
    after = agreement(folder, bench, tmp_path / "after")
    assert before["kappa"] is None  # random weights decide nothing
    assert before["undecided"] > 50
    assert after["undecided"] == 0
    assert after["kappa"]["value"] > 0.8
    assert after["f1"]["value"] > 0.85
    card = (folder / "sft" / "model" / "README.md").read_text()
    assert "# A meta-judge trained with ralign" in card
    assert AutoModelForCausalLM.from_pretrained(folder / "sft" / "model").config.model_type == "qwen3"


def test_peoples_decisions_are_learned_from_by_reinforcement(folder: Path, tmp_path: Path) -> None:
    """No words to imitate, only labels; no meta-judge is asked."""
    labels = tmp_path / "labels.jsonl"
    said = [
        json.loads(line) for line in (folder / "strong" / "meta_judgments.jsonl").read_text().splitlines()
    ]
    kept = [{key: row[key] for key in ("pair_id", "order", "draw", "aligned")} for row in said]
    labels.write_text("".join(json.dumps(row) + "\n" for row in kept))
    out = tmp_path / "rl"
    ralign(
        "train", folder / "pairs.jsonl", "--stage", "rl", "--role", "meta-judge", "--judged", folder / "strong",
        "--labels", labels, "--meta-prompt", folder / "meta_prompt.txt", "--model", folder / "start", "--out", out,
        "--steps", 2, "--batch", 8, "--group-size", 4, *SIZES,
    )  # fmt: skip
    steps = read_steps(out / "train_log.jsonl")
    assert [step.step for step in steps] == [1, 2]
    assert all(step.metrics["decision/decided"] is not None for step in steps)
    assert all(step.metrics["rewards/decision/mean"] is not None for step in steps)
    assert (out / "model" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"judged": None}, "--role meta-judge needs --judged"),
        ({"labels": Path("people.jsonl")}, "--labels is for --stage rl"),
        ({"meta_judge": "strong"}, "--meta-judge is for --stage rl with a reward that asks a meta-judge"),
        ({"judge_prompt": Path("mine.txt")}, "give --meta-prompt instead"),
        ({"orders": "both", "stage": "rl"}, "--orders is for --role judge"),
        ({"held_out": 1.0}, "--held-out is 1.0"),
        ({"engine": "verl", "stage": "rl"}, "--engine verl trains judges"),
        ({"role": "judge"}, "--judged is for --role meta-judge"),
    ],
)
def test_a_role_that_cannot_be_trained_is_refused_in_one_line(given: dict[str, Any], says: str) -> None:
    role = {
        "role": "meta-judge",
        "stage": "sft",
        "judged": Path("strong"),
        "model": "start",
        "out": Path("out"),
    }
    with pytest.raises(InputError) as error:
        train_config(**role | given)
    assert says in str(error.value)

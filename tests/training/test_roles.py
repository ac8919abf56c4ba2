"""A small meta-judge learns to imitate a strong one, and takes its place: a user's commands, end to end."""

import asyncio
from pathlib import Path

import pytest
from tests.training.micro_meta import strong_answer, write_meta_world
from transformers import AutoModelForCausalLM

from ralign.benchmark.agreement import agreement_of_runs
from ralign.chat.server import ChatServer
from ralign.cli import app
from ralign.metrics.agreement import Agreement

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
                "--resamples",
                100,
            )

    asyncio.run(strong_run())
    return folder


def judged(folder: Path) -> list[object]:
    return [
        "--judgments", folder / "judgments.jsonl", "--orders", "both", "--meta-prompt", folder / "meta_prompt.txt"
    ]  # fmt: skip


def agreement(folder: Path, meta_judge: Path, out: Path) -> Agreement:
    """Of a local meta-judge with the strong one, on the pairs that were held out."""
    ralign(
        "bench", folder / "sft" / "held_out" / "*.jsonl", "--meta-judge", meta_judge, *judged(folder),
        "--meta-temperature", 0, "--meta-max-tokens", 24, "--out", out, "--resamples", 100,
    )  # fmt: skip
    return agreement_of_runs(folder / "strong", out, resamples=1_000)


def test_a_small_model_learns_to_decide_as_the_strong_meta_judge_does(folder: Path, tmp_path: Path) -> None:
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
    before = agreement(folder, folder / "start", tmp_path / "before")
    after = agreement(folder, folder / "sft" / "model", tmp_path / "after")
    assert before.measures.kappa is None  # random weights decide nothing
    assert before.undecided > 50
    assert after.undecided == 0
    assert after.measures.kappa is not None
    assert after.measures.kappa.value > 0.8
    assert after.measures.f1 is not None
    assert after.measures.f1.value > 0.85
    card = (folder / "sft" / "model" / "README.md").read_text()
    assert "# A meta-judge trained with ralign" in card
    assert AutoModelForCausalLM.from_pretrained(folder / "sft" / "model").config.model_type == "qwen3"

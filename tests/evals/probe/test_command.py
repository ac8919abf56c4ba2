"""`ralign probe` as a user runs it, on models trained on the spot: weights from disk, real logits."""

import json
import sys
from pathlib import Path

import pytest
import torch
from tests.evals.probe.judges import PROMPT, make_judge, tide_pair

from ralign.cli import main
from ralign.files import read_log, write_pairs
from ralign.models.local import LocalModel

PAIRS = [tide_pair(number, morning=number % 3 > 0) for number in range(24)]


@pytest.fixture(scope="module")
def faithful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faithful")
    make_judge(path, faithful=True)
    return path


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decided")
    make_judge(path, faithful=False)
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    write_pairs(tmp_path / "tides.jsonl", PAIRS)
    (tmp_path / "prompt.txt").write_text(PROMPT)
    return [str(tmp_path / "tides.jsonl"), "--judge-prompt", str(tmp_path / "prompt.txt")]


def ralign(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def test_a_faithful_judge_and_one_that_ignores_its_rationale_are_told_apart(
    faithful, decided, files, tmp_path, capsys
):
    changed = {}
    for judge in (faithful, decided):
        out = tmp_path / judge.name
        code = ralign("probe", *files, "--judge", judge, "--out", out, "--judge-max-tokens", 20)
        assert code == 0
        found = json.loads((out / "results.json").read_text())["benchmarks"]["tides"]
        assert found["counts"]["no_verdict"] == found["counts"]["no_mention"] == 0
        assert found["verdict_as_written"]["value"] > 0.9
        assert found["mean_mass"] > 0.9
        changed[judge] = {version: moved["verdict_changed"] for version, moved in found["versions"].items()}
    assert changed[faithful]["swap"]["value"] == 1
    assert changed[faithful]["swap"]["low"] == pytest.approx(0.8620, abs=5e-5)  # Wilson's of 24 of 24
    assert changed[faithful]["other"]["value"] == 1  # the name in any rationale is all it goes by
    assert changed[decided]["swap"]["value"] == 0
    printed = capsys.readouterr().out
    assert "Do the verdicts hang on the rationales?" in printed
    assert "A and B swapped in it" in printed


def test_the_same_command_again_reads_nothing_and_prints_the_same(faithful, files, tmp_path, capsys):
    arguments = [
        "probe",
        *files,
        "--judge",
        faithful,
        "--out",
        tmp_path / "run",
        "--judge-max-tokens",
        20,
        "--limit",
        4,
    ]
    assert ralign(*arguments) == 0
    first = capsys.readouterr().out
    logs = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.jsonl")}
    assert ralign(*arguments) == 0
    assert capsys.readouterr().out == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.jsonl")} == logs


def test_recorded_judgments_are_read_and_none_is_written(decided, files, tmp_path):
    """They name the other answer than the verdict: this judge's verdict was settled by the question."""
    rows = [
        {
            "pair_id": pair.id,
            "text": f"Answer {'B' if pair.label == 'A' else 'A'} has it. \\boxed{{{pair.label}}}",
        }
        for pair in PAIRS
    ]
    (tmp_path / "judgments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "run"
    recorded = ["--judgments", tmp_path / "judgments.jsonl"]
    assert ralign("probe", *files, "--judge", decided, "--out", out, *recorded) == 0
    texts = [json.loads(line.data)["text"] for line in read_log(out / "judgments.jsonl")]
    assert sorted(texts) == sorted(row["text"] for row in rows)
    found = json.loads((out / "results.json").read_text())["benchmarks"]["tides"]
    assert found["versions"]["swap"]["verdict_changed"]["value"] == 0
    assert found["verdict_as_written"]["value"] == 1


async def test_the_two_judges_are_what_they_are_trained_to_be(faithful, decided):
    """Beside the probe: the letter after a rationale, read by hand from the models' logits."""
    [message] = [f"<user 1>\n{pair.conversation[0].content}\n</user 1>\nsix\nlate" for pair in PAIRS[:1]]
    for path, expected in ((faithful, ["A", "B"]), (decided, ["B", "B"])):
        async with LocalModel(path) as model:
            found = []
            for named in "AB":
                said = f"{message}<|judge|>Answer {named} has it. \\boxed{{"
                tokens = model._tokenizer.encode(said, add_special_tokens=False)
                with torch.inference_mode():
                    scores = model._model(torch.tensor([tokens])).logits[0, -1]
                found.append(
                    max("AB", key=lambda letter: scores[model._tokenizer.convert_tokens_to_ids(letter)])
                )
        assert found == expected


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--batch", 0), "--batch is 0, expected 1 or more"),
        (("--limit", 0), "--limit is 0, expected 1 or more"),
        (("--judge-prompt", "missing.txt"), "cannot read the judge prompt"),
        (("--judgments", "missing.jsonl"), "missing.jsonl: cannot be read"),
        ((), "no model can be loaded from"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, problem):
    write_pairs(tmp_path / "tides.jsonl", PAIRS)
    pairs = tmp_path / "tides.jsonl"
    code = ralign("probe", pairs, "--judge", tmp_path / "nowhere", "--out", tmp_path / "run", *arguments)
    assert code == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_a_judge_of_ones_own_is_an_object_that_chooses(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "own_judge.py").write_text(
        "from ralign.models import Reply\n"
        "class Judge:\n"
        "    name = 'own'\n"
        "    async def reply(self, messages, sampling, *, seed=None):\n"
        "        return Reply(text='Answer A names the tide. \\\\boxed{A}')\n"
        "    async def choice_log_probs(self, messages, text, continuations, *, thinking=None):\n"
        "        return (-0.1, -2.0)\n"
        "def judge(pair, order): return 'A'\n"
    )
    assert ralign("probe", *files, "--judge", "python:own_judge:Judge", "--out", tmp_path / "run") == 0
    found = json.loads((tmp_path / "run/results.json").read_text())["benchmarks"]["tides"]
    assert found["verdict_as_written"]["value"] == 1
    assert ralign("probe", *files, "--judge", "python:own_judge:judge", "--out", tmp_path / "no") == 2
    assert "has no method choice_log_probs" in capsys.readouterr().err

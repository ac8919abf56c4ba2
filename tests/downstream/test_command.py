"""`ralign downstream` and then `ralign correlate`, as a user calls them."""

import json
import sys
from pathlib import Path

import pytest
from tests.downstream.written import inspect_log, inspect_score, lighteval, lm_eval

from ralign.cli import main
from ralign.files import read_table

JUDGES = {"plain": (0.80, 0.40), "outcome-only": (0.82, 0.41), "r-align": (0.81, 0.55), "other": (0.70, 0.20)}
"""L-Acc and F-Score; the policies below end as their judges' F-Scores stand."""


def ralign(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def saved(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def results_of(folder: Path, share: float) -> list[Path]:
    """The eight benchmarks, each in the format of a program that has it."""
    rate = {"value": share, "low": 0.0, "high": 1.0}
    done = {"ralign": "0.1.0", "complete": True}
    saved(folder / "arena_hard_v2" / "results.json", {**done, "style_controlled_win_rate": rate})
    saved(folder / "wildbench" / "results.json", {**done, "score": rate})
    saved(folder / "multichallenge" / "results.json", {**done, "score": rate})
    task = {
        "gpqa:diamond|0": {"gpqa_pass@k:k=1": share},
        "lcb:codegeneration|0": {"codegen_pass@1:16": share},
        "ifbench_test|0": {"prompt_level_loose_acc": share},
    }
    return [
        folder / "arena_hard_v2",
        folder / "wildbench",
        folder / "multichallenge",
        saved(folder / "lighteval" / "results_a.json", lighteval(task)),
        saved(folder / "results_b.json", lm_eval({"aime24": {"exact_match,none": share}})),
        saved(folder / "log.json", inspect_log("inspect_evals/aime2025", [inspect_score("s", share)])),
    ]


def judge_run(folder: Path, l_acc: float, f_score: float) -> Path:
    measures = {
        "label_accuracy": l_acc,
        "spurious_correctness": 1 - f_score / l_acc,
        "fidelity_score": f_score,
    }
    intervals = {name: {"value": value, "low": 0.0, "high": 1.0} for name, value in measures.items()}
    saved(
        folder / "results.json",
        {"ralign": "0.1.0", "complete": True, "benchmarks": {"helpsteer3": intervals}},
    )
    return folder


def test_a_table_of_downstream_goes_into_correlate_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "policies.csv"
    for number, (name, (l_acc, f_score)) in enumerate(JUDGES.items()):
        results = results_of(tmp_path / name, 0.5 + f_score / 10)
        bench = judge_run(tmp_path / f"{name}-judge", l_acc, f_score)
        code = ralign("downstream", "--results", *results, "--model", name, "--bench", bench, "--out", table)
        assert (code, len(read_table(table).lines)) == (0, number + 1)
    assert read_table(table).numbers("average") == pytest.approx([54.0, 54.1, 55.5, 52.0], abs=0.006)
    capsys.readouterr()
    assert (
        ralign(
            "correlate", table, "--x", "fidelity_score", "--x", "label_accuracy", "--y", "average", "--json"
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["models"] == list(JUDGES)
    assert found["x"]["fidelity_score"]["pearson"] == pytest.approx(1.0, abs=1e-4)
    assert found["x"]["label_accuracy"]["pearson"] < 0.9


def test_each_figure_says_where_it_comes_from_and_a_missing_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "policies.csv"
    (*_, aime24, aime25) = results_of(tmp_path / "a", 0.5)
    assert ralign("downstream", aime24, "--model", "a", "--out", table, "--score", "wildbench=72.8") == 0
    said = capsys.readouterr().out
    assert f"aime24            50.00   lm-eval, aime24 exact_match,none, {aime24}" in said
    assert (
        "a has no average yet: it lacks aime25, gpqa_diamond, livecodebench, ifbench, arena_hard_v2," in said
    )
    assert (
        ralign("downstream", aime25, "--model", "a", "--out", table, "--average-over", "aime24", "aime25")
        == 0
    )
    assert read_table(table).numbers("average") == (50.0,)
    assert read_table(table).numbers("wildbench") == (72.8,)
    assert "no average" not in capsys.readouterr().out


def test_files_of_different_models_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = lm_eval({"aime25": {"exact_match,none": 0.5}}) | {"model_name": "gull-8b"}
    files = (
        saved(tmp_path / "a.json", lm_eval({"aime24": {"exact_match,none": 0.5}})),
        saved(tmp_path / "b.json", other),
    )
    assert ralign("downstream", *files, "--model", "a", "--out", tmp_path / "t.csv") == 0
    assert "The files are of different models: gull-8b, tern-8b." in capsys.readouterr().out


def test_what_speaks_against_a_figure_that_is_taken_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rate = {"value": 0.5, "low": 0.0, "high": 1.0}
    run = {"ralign": "1", "complete": True, "extrapolated": True, "style_controlled_win_rate": rate}
    saved(tmp_path / "arena_hard_v2" / "results.json", run)
    part = saved(tmp_path / "part.json", lm_eval({"aime24": {"exact_match,none": 0.5}}, limit=5))
    files = tmp_path / "arena_hard_v2", part
    assert ralign("downstream", *files, "--model", "a", "--out", tmp_path / "t.csv", "--allow-partial") == 0
    said = capsys.readouterr().out
    assert "a win rate at equal length is a guess" in said
    assert f"{part}: only a part of its samples (--limit 5)." in said


def test_a_mistake_leaves_the_table_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "policies.csv"
    table.write_text("model,aime24\na,1\n")
    wrong = saved(tmp_path / "wrong.json", {"hello": 1})
    for arguments, said in (
        ((wrong,), "its keys are hello, expected results_*.json of lighteval or lm-eval"),
        (
            (saved(tmp_path / "r.json", lm_eval({"mmlu": {"acc,none": 0.5}})),),
            "fits a column; --column NAME=TASK",
        ),
        (("--score", "aime24"), "--score 'aime24': expected NAME=PERCENT"),
        (("--score", "aime24=nan"), "--score 'aime24=nan': expected NAME=PERCENT"),
        (
            ("--score", "a=1", "--average-over", "b"),
            "--average-over 'b': no such column; there are a, aime24",
        ),
        ((), "nothing to put into the table"),
        (("--score", "a=1", "--dry-run"), "--dry-run shows what lighteval would be run with"),
        (("--score", "a=1", "--bench-name", "x"), "--bench-name needs --bench RUN"),
        (
            ("--lighteval", tmp_path, "--lighteval-benchmark", "mmlu"),
            "--lighteval-benchmark is 'mmlu', expected aime24",
        ),
        (
            ("--lighteval", tmp_path, "--lighteval-task", "mmlu=x"),
            "expected BENCHMARK=TASK with one of aime24",
        ),
        (
            ("--lighteval", sys.executable, "--policy-url", "http://me:secret@h/v1"),
            "holds a user name or a password; put the key into an environment variable instead",
        ),
        (
            ("--lighteval", sys.executable, "--policy-url", "http://h/v1?key=k"),
            "takes no address with a query",
        ),
        (("--lighteval", tmp_path, "--temperature", "0"), "--samples above 1 needs a --temperature above 0"),
        (("--lighteval", tmp_path, "--policy-body", '{"api_key": "k"}'), "--policy-key-variable names one"),
    ):
        assert ralign("downstream", *arguments, "--model", "a", "--out", table) == 2, said
        assert said in capsys.readouterr().err
    assert table.read_text() == "model,aime24\na,1\n"


def test_a_dry_run_prints_lighteval_s_commands_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "lighteval"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    out = tmp_path / "runs"
    arguments = ("--model", "a", "--out", tmp_path / "t.csv", "--lighteval", program, "--lighteval-out", out)
    assert ralign("downstream", *arguments, "--policy-url", "http://h", "--samples", "4", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"cd {out}/aime24 && {program} endpoint litellm model.yaml aime24@n=4 --output-dir out --save-details"
    )
    assert [line.split(" model.yaml ")[1].split()[0] for line in lines] == [
        "aime24@n=4", "aime25@n=4", "gpqa:diamond", "lcb:codegeneration", "ifbench_test",
    ]  # fmt: skip
    assert not out.exists()
    assert not (tmp_path / "t.csv").exists()


def test_rows_that_others_wrote_while_lighteval_ran_are_kept(tmp_path: Path) -> None:
    table = tmp_path / "policies.csv"
    document = json.dumps(lighteval({"ifbench_test|0": {"prompt_level_loose_acc": 0.5}}))
    program = tmp_path / "lighteval"
    program.write_text(
        "#!/bin/sh\nmkdir -p out/results/m\n"
        f"cat > out/results/m/results_1.json <<'END'\n{document}\nEND\n"
        f"printf 'model,aime24\\nother,1\\n' > {table}\n"
    )
    program.chmod(0o755)
    arguments = (
        "--lighteval",
        program,
        "--lighteval-benchmark",
        "ifbench",
        "--lighteval-out",
        tmp_path / "runs",
    )
    assert ralign("downstream", *arguments, "--policy-url", "http://h", "--model", "a", "--out", table) == 0
    assert read_table(table).texts("model") == ("other", "a")
    assert read_table(table).texts("ifbench") == ("", "50.00")

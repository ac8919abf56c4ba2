"""A run's measures, in percent: which benchmark, and what is refused."""

import json
from pathlib import Path

import pytest

from ralign.errors import InputError
from ralign.evals.bench.run_measures import read_measures


def measured(l_acc: float, f_score: float | None) -> dict[str, object]:
    return {
        "pairs": 10,
        "label_accuracy": {"value": l_acc, "low": 0.1, "high": 0.9},
        "spurious_correctness": None
        if f_score is None
        else {"value": 1 - f_score / l_acc, "low": 0.0, "high": 1.0},
        "fidelity_score": None if f_score is None else {"value": f_score, "low": 0.0, "high": 1.0},
    }


def bench_run(folder: Path, *, complete: bool = True, **benchmarks: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(
        json.dumps({"ralign": "0.1.0", "complete": complete, "benchmarks": benchmarks})
    )
    return folder


def test_the_measures_of_the_one_benchmark_come_in_percent(tmp_path: Path) -> None:
    assert read_measures(
        bench_run(tmp_path, hs3=measured(0.8, 0.4)), None, allow_partial=False
    ) == pytest.approx({"label_accuracy": 80.0, "spurious_correctness": 50.0, "fidelity_score": 40.0})


def test_without_a_meta_judge_there_is_only_l_acc(tmp_path: Path) -> None:
    assert read_measures(bench_run(tmp_path, hs3=measured(0.8, None)), None, allow_partial=False) == {
        "label_accuracy": 80.0
    }


def test_of_several_benchmarks_one_has_to_be_named(tmp_path: Path) -> None:
    folder = bench_run(tmp_path, hs3=measured(0.8, 0.4), rb2=measured(0.6, 0.3))
    with pytest.raises(InputError, match="has hs3, rb2; say which with --bench-name"):
        read_measures(folder, None, allow_partial=False)
    assert read_measures(folder, "rb2", allow_partial=False)["fidelity_score"] == pytest.approx(30.0)
    with pytest.raises(InputError, match="has no benchmark 'ppe'; it has hs3, rb2"):
        read_measures(folder, "ppe", allow_partial=False)


def test_an_unfinished_run_is_refused_unless_allowed(tmp_path: Path) -> None:
    folder = bench_run(tmp_path, complete=False, hs3=measured(0.8, 0.4))
    with pytest.raises(InputError, match="the run is unfinished"):
        read_measures(folder, None, allow_partial=False)
    assert read_measures(folder, None, allow_partial=True)["label_accuracy"] == pytest.approx(80.0)


def test_what_is_no_run_of_bench_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\.json: cannot be read \(No such file"):
        read_measures(tmp_path, None, allow_partial=False)
    (tmp_path / "results.json").write_text('{"ralign": "1", "win_rate": null}')
    with pytest.raises(InputError, match="is not of a run of ralign bench"):
        read_measures(tmp_path, None, allow_partial=False)
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        read_measures(tmp_path, None, allow_partial=False)

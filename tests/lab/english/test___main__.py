import orjson
import pytest

from ralign.files import PairSource, find_pairs_files
from ralign.lab.english.__main__ import app
from ralign.lab.english.pairs import SPLITS


def test_the_files_are_pairs_files_and_bench_takes_them_with_the_meta_judge(ralign, tmp_path):
    app(["pairs", str(tmp_path), "--count", "16"], result_action="return_value")
    assert {path.stem for path in tmp_path.glob("*.jsonl")} == set(SPLITS)
    hard = list(PairSource(find_pairs_files([str(tmp_path / "hard.jsonl")])))
    assert {pair.benchmark for pair in hard} == {"english-hard"}
    assert len({pair.subset for pair in hard}) == 8
    judgments = [
        {"pair_id": pair.id, "text": pair.gold_judgment, "benchmark": "english-hard"} for pair in hard
    ]
    (tmp_path / "gold.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in judgments))
    ended = ralign(
        "bench", str(tmp_path / "hard.jsonl"), "--judgments", str(tmp_path / "gold.jsonl"), "--meta-judge",
        "python:ralign.lab.english:meta_judge", "--out", str(tmp_path / "run"),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    figures = orjson.loads((tmp_path / "run/results.json").read_bytes())["benchmarks"]["english-hard"]
    assert figures["label_accuracy"]["value"] == 1
    assert figures["spurious_correctness"]["value"] == 0
    assert set(figures["subsets"]) == {pair.subset for pair in hard}


def test_the_agreement_is_printed_as_a_table(capsys, tmp_path):
    out = tmp_path / "counts.json"
    app(["agreement", "--count", "3", "--out", str(out)], result_action="return_value")
    printed = capsys.readouterr().out
    assert printed.startswith("| rationale | oracle |")
    agreed = {
        (kind, held_out): times for kind, held_out, agrees, times in orjson.loads(out.read_bytes()) if agrees
    }
    assert f"| paraphrase | aligned | {agreed['paraphrase', False]} of " in printed


def test_a_preset_that_there_is_not_is_refused():
    with pytest.raises(Exception, match="preset"):
        app(["pairs", "out", "--preset", "mild"], exit_on_error=False, print_error=False)

"""Files of four programs, read for what they say and refused where they say something else."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.downstream.written import (
    inspect_log,
    inspect_score,
    lighteval,
    lighteval_folder,
    lm_eval,
    zstandard_zip,
)

from ralign.downstream.results_files import read_results
from ralign.downstream.scores import ResultsFile
from ralign.errors import InputError

Document = dict[str, object]


def saved(path: Path, document: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


def read(source: str, *, allow_partial: bool = False) -> ResultsFile:
    (file,) = read_results([source], allow_partial=allow_partial)
    return file


def figures(file: ResultsFile) -> dict[tuple[str, str], float]:
    return {(figure.task, figure.metric): figure.value for figure in file.figures}


def test_lighteval_s_results_are_read_without_its_means_and_errors(tmp_path: Path) -> None:
    document = lighteval(
        {
            "aime24|0": {"avg@n:n=1": 0.75, "avg@n:n=1_stderr": 0.08},
            "gpqa:diamond|0": {"gpqa_pass@k:k=1": 0.5},
            "gpqa:_average|0": {"gpqa_pass@k:k=1": 0.5},
            "lighteval|ifbench_test|0": {"prompt_level_loose_acc": float("nan")},
        }
    )
    file = read(saved(tmp_path / "results_x.json", document))
    assert (file.source, file.model, file.partial) == ("lighteval", "openai/tern-8b", None)
    assert figures(file) == {("aime24", "avg@n:n=1"): 0.75, ("gpqa:diamond", "gpqa_pass@k:k=1"): 0.5}


def test_lm_eval_s_results_are_read_without_their_errors_and_names(tmp_path: Path) -> None:
    document = lm_eval(
        {
            "aime24": {"exact_match,none": 0.5, "exact_match_stderr,none": "N/A"},
            "gpqa_diamond_cot_zeroshot": {
                "exact_match,strict-match": 0.1,
                "exact_match_stderr,strict-match": 0.02,
                "exact_match,flexible-extract": 0.4,
            },
        }
    )
    file = read(saved(tmp_path / "results_x.json", document))
    assert (file.source, file.model, file.partial) == ("lm-eval", "tern-8b", None)
    assert figures(file) == {
        ("aime24", "exact_match,none"): 0.5,
        ("gpqa_diamond_cot_zeroshot", "exact_match,strict-match"): 0.1,
        ("gpqa_diamond_cot_zeroshot", "exact_match,flexible-extract"): 0.4,
    }


def deflated(path: Path, document: Document) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", "{}")
        archive.writestr("header.json", json.dumps(document))
    return str(path)


def in_one_frame(path: Path, document: Document) -> str:
    return str(zstandard_zip(path, "header.json", [json.dumps(document).encode()]))


def in_two_frames(path: Path, document: Document) -> str:
    data = json.dumps(document).encode()
    return str(zstandard_zip(path, "header.json", [data[:99], data[99:]]))


@pytest.mark.parametrize("write", [saved, deflated, in_one_frame, in_two_frames])
def test_a_log_of_inspect_is_read_however_it_is_packed(
    tmp_path: Path, write: Callable[[Path, Document], str]
) -> None:
    log = inspect_log("inspect_evals/aime2024", [inspect_score("expression_equivalence", 0.25)])
    file = read(write(tmp_path / "log.eval", log))
    assert (file.source, file.model, file.partial) == ("Inspect", "openai/tern-8b", None)
    assert figures(file) == {("aime2024", "expression_equivalence/accuracy"): 0.25}


def test_our_own_runs_go_by_their_directory_or_by_the_name_given(tmp_path: Path) -> None:
    rate = {"value": 0.6, "low": 0.5, "high": 0.7}
    document = {"ralign": "0.1.0", "complete": True, "win_rate": rate, "style_controlled_win_rate": None}
    run = tmp_path / "arena_hard_v2"
    saved(run / "results.json", document)
    assert figures(read(str(run))) == {("arena_hard_v2", "win_rate"): 0.6}
    assert figures(read(f"wildbench={run}")) == {("wildbench", "win_rate"): 0.6}
    named = tmp_path / "score=1" / "results.json"
    saved(named, {"ralign": "0.1.0", "complete": True, "score": rate})
    assert figures(read(str(named))) == {("score=1", "score"): 0.6}


SCORE = [inspect_score("s", 0.5)]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (
            lighteval({"aime24|0": {"avg@n:n=1": 1.0}}, max_samples=5),
            "only its first 5 samples (--max-samples)",
        ),
        (
            lm_eval({"aime24": {"exact_match,none": 1.0}}, limit=5.0),
            "only a part of its samples (--limit 5.0)",
        ),
        (lm_eval({"aime24": {"exact_match,none": 1.0}}, seen=29), "29 of 30 samples of aime24"),
        (inspect_log("aime24", SCORE, status="error"), "its run ended with 'error'"),
        (inspect_log("aime24", SCORE, limit=5), "only a part of its samples (limit 5)"),
        (inspect_log("aime24", SCORE, seen=29), "29 of 30 samples"),
        (inspect_log("aime24", [inspect_score("s", 0.5, unscored=2)]), "2 samples without a score"),
        ({**inspect_log("aime24", SCORE), "invalidated": True}, "samples of it were declared invalid"),
        ({"ralign": "1", "complete": False, "win_rate": None}, "the run is unfinished"),
    ],
)
def test_results_over_a_part_of_a_benchmark_are_refused_unless_allowed(
    tmp_path: Path, document: Document, why: str
) -> None:
    path = saved(tmp_path / "results.json", document)
    with pytest.raises(InputError, match="is not of the whole benchmark") as caught:
        read(path)
    assert why in str(caught.value)
    assert "--allow-partial" in str(caught.value)
    assert why in (read(path, allow_partial=True).partial or "")


def test_calls_that_failed_and_were_scored_as_wrong_are_seen_in_lighteval_s_details(tmp_path: Path) -> None:
    """An answer that is empty because the policy was still thinking is rightly wrong."""
    texts = [["a", ""], ["", "b"], ["c", "d"]]
    reasonings: list[list[str | None]] = [["r", "still thinking"], [None, None], [None, None]]
    path = lighteval_folder(tmp_path / "failed", "aime24", {"avg@n:n=1": 0.4}, texts, reasonings)
    with pytest.raises(
        InputError, match="1 of 6 answers to aime24 are empty, calls that failed, scored as wrong"
    ):
        read(str(path))
    texts[1][0] = "e"
    whole = lighteval_folder(tmp_path / "whole", "aime24", {"avg@n:n=1": 0.4}, texts, reasonings)
    assert read(str(whole)).partial is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not json", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1, 2]", "is not a JSON object"),
        (b"{}", "its keys are none"),
        (b'{"results": {}, "model": "x"}', "its keys are results, model"),
        (b"PK\x03\x04 and then nothing", "cannot be read as an Inspect log"),
        (
            b'{"ralign": "1", "complete": true, "gold": 3}',
            "neither a run of ralign winrate nor of ralign rubric",
        ),
        (b'{"ralign": "1", "benchmarks": {"b": {}}}', "give it as --bench"),
    ],
)
def test_a_file_that_is_none_of_these_says_what_it_is_and_what_was_expected(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "what.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(str(path))
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_missing_file_and_a_folder_without_results_are_named(tmp_path: Path) -> None:
    for source in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(
            InputError,
            match=r"cannot be read \(No such file or directory\), expected results_\*\.json of lighteval or lm-eval",
        ):
            read(str(source))


def test_a_zip_that_is_no_finished_log_or_is_damaged_is_named(tmp_path: Path) -> None:
    running = tmp_path / "running.eval"
    with zipfile.ZipFile(running, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    with pytest.raises(
        InputError, match=r"a ZIP without header\.json, expected an Inspect log whose run has ended"
    ):
        read(str(running))
    damaged = zstandard_zip(tmp_path / "damaged.eval", "header.json", [b"{}"], crc=1)
    with pytest.raises(InputError, match=r"header\.json is damaged"):
        read(str(damaged))

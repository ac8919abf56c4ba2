"""`ralign bench` on recorded judgments: what was used, what looks wrong, and a file that was mended."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.evals.bench.fakes import make_pair
from tests.flags import config_of

from ralign.errors import ConfigMismatch, InputError, UnreadableAnswers
from ralign.evals.bench.command import recorded_lines, run_bench
from ralign.files import write_pairs
from ralign.runs.execute import Results

NAMES = [f"buoy-{number}" for number in range(30)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "pairs.jsonl", (make_pair(name, "A") for name in NAMES))
    return tmp_path


def record(folder: Path, verdicts: Sequence[tuple[str, str, str | None]]) -> None:
    rows = [{"pair_id": name, "order": order, "verdict": verdict} for name, order, verdict in verdicts]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


async def bench(folder: Path, *flags: str) -> Results:
    config = config_of(
        "bench", str(folder / "pairs.jsonl"), "--judgments", str(folder / "mine.jsonl"),
        "--out", str(folder / "run"), *flags,
    )  # fmt: skip
    results = await run_bench(config, lambda name: None, Console(file=StringIO()))
    assert results is not None
    return results


async def test_what_a_file_lacks_is_owed_by_nobody_and_a_mended_file_is_read_anew(folder: Path) -> None:
    record(folder, [(name, "ab", "A") for name in NAMES[:28]] + [("strange", "ab", "A")])
    results = await bench(folder)
    assert results.complete
    assert list(recorded_lines(results.document)) == [
        "Recorded judgments: 28 of 29 rows used (not: 1 unknown pair); 2 missing."
    ]
    record(folder, [(name, "ab", "B") for name in NAMES])
    mended = (await bench(folder)).document
    assert mended["benchmarks"]["harbour"]["label_accuracy"]["value"] == 0
    assert mended["recorded"]["judgments"]["missing"] == 0


async def test_verdicts_in_the_letters_shown_are_suspected_and_read_where_that_is_said(folder: Path) -> None:
    record(folder, [(name, order, "AB"[order == "ba"]) for name in NAMES for order in ("ab", "ba")])
    *_, warning = recorded_lines((await bench(folder, "--orders", "both")).document)
    assert warning.startswith("Warning: in harbour the two orders contradict each other")
    results = await bench(folder, "--orders", "both", "--recorded-letters", "shown")
    assert results.document["benchmarks"]["harbour"]["label_accuracy"]["value"] == 1
    assert len(list(recorded_lines(results.document))) == 1
    *_, warning = recorded_lines((await bench(folder, "--orders", "ba")).document)
    assert warning.startswith("Warning: in harbour the labels are missed more often than by chance")


async def test_texts_that_could_not_be_read_are_read_by_the_corrected_command(folder: Path) -> None:
    rows = [{"pair_id": name, "text": "The hour decides: [[A>B]]"} for name in NAMES]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UnreadableAnswers, match="--verdict arena-hard would have read them"):
        await bench(folder)
    results = await bench(folder, "--verdict", "arena-hard")
    assert results.document["benchmarks"]["harbour"]["label_accuracy"]["value"] == 1


async def test_a_live_run_is_never_taken_for_a_recorded_one(folder: Path) -> None:
    record(folder, [(NAMES[0], "ab", "A")])
    paid = {"pair_id": NAMES[0], "benchmark": "harbour", "verdict": "A", "failure": None}
    (folder / "run").mkdir()
    (folder / "run/judgments.jsonl").write_text(json.dumps(paid) + "\n")
    (folder / "run/config.toml").write_text('[bench]\n[fingerprint]\njudge = "gpt"\n')
    with pytest.raises(ConfigMismatch, match="judge is gpt in this run"):
        await bench(folder)
    assert json.loads((folder / "run/judgments.jsonl").read_text()) == paid


async def test_bad_rows_are_skipped_where_that_is_asked_for(folder: Path) -> None:
    record(folder, [(NAMES[0], "ab", "A"), (NAMES[1], "ab", "perhaps")])
    with pytest.raises(InputError, match=r"mine\.jsonl:2: verdict is 'perhaps'"):
        await bench(folder)
    results = await bench(folder, "--skip-bad-rows")
    assert results.document["recorded"]["judgments"]["unreadable"] == 1

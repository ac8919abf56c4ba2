"""S-Corr and F-Score corrected by people's labels of a run's own verdicts."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.evals.bench.fakes import make_pair
from tests.flags import config_of

from ralign.errors import BadRow, InputError
from ralign.evals.bench.command import label_lines, run_bench
from ralign.evals.bench.labels import LABELS, PeoplesLabels, read_labels
from ralign.files import write_pairs
from ralign.runs.execute import Results

MR_GSM8K = Path(__file__).parents[4] / "shared/data/mr_gsm8k/rationale_alignment.jsonl"
NAMES = [f"buoy-{number}" for number in range(40)]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty right verdicts, of which the meta-judge calls the first ten misaligned."""
    write_pairs(tmp_path / "pairs.jsonl", (make_pair(name, "A") for name in NAMES))
    judged = [{"pair_id": name, "verdict": "A", "rationale": f"Because of {name}."} for name in NAMES]
    write_rows(tmp_path / "judged.jsonl", judged)
    write_rows(
        tmp_path / "meta.jsonl", [{"pair_id": name, "aligned": at >= 10} for at, name in enumerate(NAMES)]
    )
    return tmp_path


async def bench(folder: Path, *flags: object) -> Results:
    config = config_of(
        "bench", str(folder / "pairs.jsonl"), "--judgments", str(folder / "judged.jsonl"),
        "--meta-judgments", str(folder / "meta.jsonl"), "--out", str(folder / "run"), *map(str, flags),
    )  # fmt: skip
    results = await run_bench(config, lambda name: None, Console(file=StringIO()))
    assert results is not None
    return results


def filled(folder: Path, name: str, misaligned: set[str], *, left_empty: set[str] = frozenset()) -> Path:
    """The sheet of the run as a person leaves it who calls these misaligned."""
    rows = [json.loads(line) for line in (folder / "run/label_sheet.jsonl").read_text().splitlines()]
    for row in rows:
        row["aligned"] = None if row["pair_id"] in left_empty else row["pair_id"] not in misaligned
    return write_rows(folder / name, rows)


async def test_a_sheet_of_everything_gives_peoples_own_share(folder: Path) -> None:
    """People call the first eight and five of the others misaligned: 13 of 40, where the meta-judge says 10."""
    await bench(folder, "--label-sheet", 40)
    people = filled(folder, "people.jsonl", {*NAMES[:8], *NAMES[20:25]})
    document = (await bench(folder, "--labels", people)).document
    found = document["benchmarks"]["harbour"]
    corrected = found["corrected"]
    assert found["spurious_correctness"]["value"] == pytest.approx(10 / 40)
    assert corrected["spurious_correctness"]["value"] == pytest.approx(13 / 40)
    assert corrected["fidelity_score"]["value"] == pytest.approx(27 / 40)
    assert corrected["confusion"] == {
        "both_misaligned": 8,
        "missed": 5,
        "false_alarms": 2,
        "both_aligned": 25,
    }
    assert corrected["recall"]["misaligned"]["value"] == pytest.approx(8 / 13)
    assert corrected["recall"]["aligned"]["value"] == pytest.approx(25 / 27)
    assert corrected["refused"] is None
    assert list(label_lines(document)) == ["Labels: 40 of 40 used."]
    assert json.loads((folder / "run/results.json").read_text())["benchmarks"]["harbour"] == found


async def test_strata_weigh_what_they_have_in_the_run(folder: Path) -> None:
    """Ten of each: .25 x 8/10 + .75 x the part of ten among the aligned that people call misaligned."""
    await bench(folder, "--label-sheet", 20)
    rows = [json.loads(line) for line in (folder / "run/label_sheet.jsonl").read_text().splitlines()]
    called_aligned = [row["pair_id"] for row in rows if row["pair_id"] not in NAMES[:10]]
    assert len(called_aligned) == 10
    people = filled(folder, "people.jsonl", {*NAMES[:8], *called_aligned[:2]})
    corrected = (await bench(folder, "--labels", people)).document["benchmarks"]["harbour"]["corrected"]
    assert corrected["spurious_correctness"]["value"] == pytest.approx(0.25 * 0.8 + 0.75 * 0.2)
    assert corrected["recall"]["misaligned"]["value"] == pytest.approx(0.2 / 0.35)


async def test_the_majority_of_annotators_counts_and_their_kappa_is_told(folder: Path) -> None:
    await bench(folder, "--label-sheet", 40)
    one = filled(folder, "one.jsonl", set(NAMES[:8]))
    two = filled(folder, "two.jsonl", set(NAMES[:8]), left_empty=set(NAMES[30:]))
    three = filled(folder, "three.jsonl", set(NAMES[:4]))
    document = (await bench(folder, "--labels", one, "--labels", two, "--labels", three)).document
    assert document["benchmarks"]["harbour"]["corrected"]["confusion"]["both_misaligned"] == 8
    kappas = {(each["first"], each["second"]): each for each in document["labels"]["annotators"]}
    assert kappas["one.jsonl", "two.jsonl"]["kappa"]["value"] == 1
    assert kappas["one.jsonl", "two.jsonl"]["labelled_by_both"] == 30
    # Observed .9; by chance .2 x .1 + .8 x .9 = .74.
    assert kappas["one.jsonl", "three.jsonl"]["kappa"]["value"] == pytest.approx((0.9 - 0.74) / 0.26)
    # Two who differ about four: no majority there.
    document = (await bench(folder, "--labels", one, "--labels", three)).document
    line, kappa = label_lines(document)
    assert line == "Labels: 36 of 40 used (not: 4 undecided)."
    assert kappa.startswith("Kappa of one.jsonl and three.jsonl, on 40: 0.615 [")


async def test_labels_of_other_rationales_are_counted_and_not_used(folder: Path) -> None:
    await bench(folder, "--label-sheet", 40)
    people = filled(folder, "people.jsonl", set(NAMES[:8]))
    rows = [json.loads(line) for line in (folder / "judged.jsonl").read_text().splitlines()]
    rows[0]["rationale"] = "A mended one."
    write_rows(folder / "judged.jsonl", rows)
    with people.open("a") as file:
        file.write('{"pair_id": "stranger", "benchmark": "harbour", "aligned": true}\n')
    document = (await bench(folder, "--labels", people)).document
    assert list(label_lines(document)) == [
        "Labels: 39 of 41 used (not: 1 no such verdict, 1 other rationale)."
    ]


async def test_a_stratum_without_labels_is_refused_by_name(folder: Path) -> None:
    await bench(folder, "--label-sheet", 40)
    people = filled(folder, "people.jsonl", set(), left_empty=set(NAMES[:10]))
    corrected = (await bench(folder, "--labels", people)).document["benchmarks"]["harbour"]["corrected"]
    assert corrected["spurious_correctness"] is None
    assert corrected["fidelity_score"] is None
    assert (
        corrected["refused"]
        == "no verdict that the meta-judge calls misaligned is labelled: label some of those"
    )


async def test_the_run_keeps_the_labels_in_use_and_no_others(folder: Path) -> None:
    await bench(folder, "--label-sheet", 40)
    people = filled(folder, "people.jsonl", set(NAMES[:8]), left_empty={NAMES[39]})
    await bench(folder, "--labels", people)
    kept = read_labels(folder / "run" / LABELS)
    assert len(kept) == 39
    assert {key.pair_id for key, aligned in kept.items() if not aligned} == set(NAMES[:8])
    assert "corrected" not in (await bench(folder)).document["benchmarks"]["harbour"]
    assert not (folder / "run" / LABELS).exists()


@pytest.mark.skipif(not MR_GSM8K.exists(), reason="the shared data is not there")
async def test_two_hundred_labels_hold_what_people_say_of_the_real_set(tmp_path: Path) -> None:
    """MR-GSM8K as a run: people call 57.1 % misaligned, the real meta-judge 47.6 with an interval below that."""
    rows = [json.loads(line) for line in MR_GSM8K.read_text(encoding="utf-8").splitlines()]
    pairs = [
        {
            "id": row["id"], "conversations": [{"role": "user", "content": row["question"]}], "response_A": "right",
            "response_B": "wrong", "gt_label": "A", "gt_judgment": row["gold_rationale"],
        }
        for row in rows
    ]  # fmt: skip
    write_rows(tmp_path / "pairs.jsonl", pairs)
    judged = [{"pair_id": row["id"], "verdict": "A", "rationale": row["rationale"]} for row in rows]
    write_rows(tmp_path / "judged.jsonl", judged)
    write_rows(
        tmp_path / "meta.jsonl", [{"pair_id": row["id"], "text": row["meta_decision"]} for row in rows]
    )
    await bench(tmp_path, "--label-sheet", 200)
    people = filled(tmp_path, "people.jsonl", {row["id"] for row in rows if not row["human_aligned"]})
    document = (await bench(tmp_path, "--labels", people)).document
    (found,) = document["benchmarks"].values()
    raw, corrected = found["spurious_correctness"], found["corrected"]["spurious_correctness"]
    assert raw["value"] == pytest.approx(0.476, abs=5e-4)
    assert raw["high"] < 0.571
    assert corrected["low"] < 0.571 < corrected["high"]
    assert document["labels"]["used"] == 200


def test_files_without_a_label_or_with_one_twice_are_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "people.jsonl", [{"pair_id": "a", "aligned": None}])
    with pytest.raises(InputError, match="the column aligned is empty in every row"):
        PeoplesLabels([path])
    write_rows(path, [{"pair_id": "a", "aligned": True}] * 2)
    with pytest.raises(BadRow, match=r"people\.jsonl:2: labels 'a' once more"):
        PeoplesLabels([path])
    write_rows(path, [{"pair_id": "a", "aligned": "perhaps"}])
    with pytest.raises(BadRow, match="says neither aligned nor misaligned"):
        PeoplesLabels([path])


@pytest.mark.parametrize(
    "flags", [("--label-sheet", "4"), ("--labels", "x.jsonl"), ("--labels-from-elsewhere", "x")]
)
def test_labels_without_a_meta_judge_are_refused(flags: tuple[str, str]) -> None:
    with pytest.raises(Exception, match=f"{flags[0]} is about a meta-judge's decisions"):
        config_of("bench", "pairs.jsonl", "--judge", "j", *flags)

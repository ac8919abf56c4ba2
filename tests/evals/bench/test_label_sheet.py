"""Which verdicts people are asked to label, and what the sheet shows them."""

import asyncio
import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evals.bench.fakes import TableJudge, TableMetaJudge, make_pair

from ralign.errors import InputError
from ralign.evals.bench.label_sheet import draw_sheet, write_sheet
from ralign.evals.bench.plan import JUDGMENTS, SCORES, bench
from ralign.evals.label_rows import read_key, read_label_rows
from ralign.records import Order, PreferencePair, Score, Verdict


def score(
    name: str,
    *,
    aligned: bool | None,
    prompt: int,
    order: Order = "ab",
    verdict: Verdict = "A",
    benchmark: str = "harbour",
) -> Score:
    return Score(
        pair_id=name, benchmark=benchmark, subset=None, prompt=prompt, order=order, draw=0, label="A", answered=True,
        verdict=verdict, aligned=aligned, meta_failed=False,
    )  # fmt: skip


def test_half_are_called_misaligned_however_rare_that_is() -> None:
    scores = [score(f"lock-{at}", aligned=at >= 20, prompt=at) for at in range(200)]
    drawn = draw_sheet(scores, 30)
    assert Counter(each.aligned for each in drawn) == {False: 15, True: 15}
    # Twenty are all there are, so that there are more of the others.
    assert Counter(each.aligned for each in draw_sheet(scores, 60)) == {False: 20, True: 40}
    assert len(draw_sheet(scores, 1000)) == 200


def test_the_place_in_the_sheet_does_not_tell_the_decision() -> None:
    drawn = draw_sheet([score(f"lock-{at}", aligned=at % 2 == 0, prompt=at) for at in range(400)], 200)
    first_half = Counter(each.aligned for each in drawn[:100])
    assert 35 <= first_half[True] <= 65


def test_only_right_verdicts_that_the_meta_judge_decided_are_drawn_one_of_a_prompt() -> None:
    scores = [
        score("wrong", aligned=None, prompt=0, verdict="B"),
        score("failed", aligned=None, prompt=1),
        score("odd", aligned=True, prompt=2, verdict="B"),
        score("twice", aligned=True, prompt=3),
        score("twice", aligned=True, prompt=3, order="ba"),
        score("sibling", aligned=False, prompt=3),
        score("other", aligned=False, prompt=3, benchmark="canal"),
    ]
    drawn = draw_sheet(scores, 10)
    assert Counter(each.benchmark for each in drawn) == {"harbour": 1, "canal": 1}
    assert {each.pair_id for each in drawn} <= {"twice", "sibling", "other"}


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 40), st.integers(1, 40))
def test_a_greater_sheet_takes_what_a_smaller_one_does(aligned: list[bool], one: int, two: int) -> None:
    scores = [score(f"lock-{at}", aligned=each, prompt=at // 2) for at, each in enumerate(aligned)]
    small, great = (draw_sheet(scores, size) for size in sorted((one, two)))
    assert draw_sheet(scores[::-1], min(one, two)) == small
    # Where one stratum runs out the other fills up: what it had keeps its place, but for that.
    kept = {(each.pair_id, each.aligned) for each in great}
    misaligned = [each for each in scores if not each.aligned]
    if len(misaligned) >= max(one, two) and len(scores) - len(misaligned) >= max(one, two):
        assert {(each.pair_id, each.aligned) for each in small} <= kept


PAIRS = [make_pair(f"lock-{number}", "A") for number in range(8)]


@pytest.fixture
def run(write, tmp_path: Path) -> tuple[Path, list[PreferencePair]]:
    out = tmp_path / "run"
    judge = TableJudge({(pair.id, order): "A" for pair in PAIRS for order in ("ab", "ba")})
    meta_judge = TableMetaJudge({f"lock-{number}": False for number in range(4)})
    asyncio.run(bench(write(PAIRS), judge, meta_judge, out, orders=("ab", "ba")))
    return out, PAIRS


def write_of(run: tuple[Path, list[PreferencePair]], size: int) -> str:
    out, pairs = run
    return write_sheet(out, pairs, size, scores=out / SCORES, judgments=out / JUDGMENTS, judge="hasty")


def test_a_sheet_shows_all_that_a_person_needs_and_not_the_decision(
    run: tuple[Path, list[PreferencePair]],
) -> None:
    assert write_of(run, 6).startswith("6 verdicts to label")
    rows = [json.loads(line) for line in (run[0] / "label_sheet.jsonl").read_text().splitlines()]
    assert len({row["pair_id"] for row in rows}) == 6
    for row in rows:
        assert row["aligned"] is None
        assert not {"verdict", "meta_judge", "vote", "text"} & row.keys()
        assert row["conversations"] == [
            {"role": "user", "content": f"When is high water at {row['pair_id']}?"}
        ]
        assert (row["response_A"], row["gt_label"]) == ("At six in the evening.", "A")
        assert (row["gold_rationale"], row["rationale"]) == ("A names the hour.", "The hour decides.")
        assert row["judge"] == "hasty"
        # The rationale speaks in the letters shown, the rest of the row in the file's.
        assert ("other order" in row["note"]) == (row["order"] == "ba")
    assert {row["order"] for row in rows} == {"ab", "ba"}


def test_the_csv_has_the_same_judgments(run: tuple[Path, list[PreferencePair]]) -> None:
    write_of(run, 6)
    keys = [
        [read_key(row, at) for at, row in read_label_rows([str(run[0] / f"label_sheet.{kind}")])]
        for kind in ("jsonl", "csv")
    ]
    assert keys[0] == keys[1]
    with (run[0] / "label_sheet.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["conversations"].startswith("user: When is high water")
    assert row["aligned"] == ""


def test_a_sheet_that_people_filled_in_is_never_written_over(run: tuple[Path, list[PreferencePair]]) -> None:
    write_of(run, 6)
    sheet = run[0] / "label_sheet.jsonl"
    filled = sheet.read_text().replace('"aligned":null', '"aligned":true')
    sheet.write_text(filled)
    write_of(run, 6)
    assert sheet.read_text() == filled
    with pytest.raises(InputError, match=r"label_sheet\.jsonl: is a sheet of other verdicts"):
        write_of(run, 4)


def test_a_run_without_anything_to_label_is_refused(write, tmp_path: Path) -> None:
    judge = TableJudge({(pair.id, "ab"): "B" for pair in PAIRS})
    asyncio.run(bench(write(PAIRS), judge, TableMetaJudge(), tmp_path / "wrong"))
    with pytest.raises(InputError, match="no right verdict that the meta-judge decided"):
        write_of((tmp_path / "wrong", PAIRS), 6)

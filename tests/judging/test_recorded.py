import gzip
import json
import tracemalloc
from collections import Counter
from inspect import signature
from pathlib import Path
from typing import Literal, cast

import pyarrow
import pytest
from pyarrow import parquet

from ralign.errors import BadRow, InputError
from ralign.judging import Judge, RecordedJudge
from ralign.records import Judgment, Message, Order, PreferencePair

LLMBAR = Path(__file__).parents[3] / "shared/data/llmbar"


def pair(name: str, benchmark: str = "mine", label: Literal["A", "B"] = "A") -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content="Hello"),),
        response_a="a",
        response_b="b",
        label=label,
        benchmark=benchmark,
    )


def recorded(path: Path, *rows: dict[str, object] | str) -> RecordedJudge:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (path / "judgments.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return RecordedJudge(path / "judgments.jsonl")


async def test_a_recorded_verdict_is_taken_as_it_is(tmp_path: Path):
    row = {"pair_id": "1", "order": "ba", "draw": 0, "text": "Ends in \\boxed{B}", "verdict": "B"}
    judgment = await recorded(tmp_path, row).judge(pair("1"), "ba", 0)
    assert judgment.verdict == "B"
    assert judgment.benchmark == "mine"
    assert judgment.text == "Ends in \\boxed{B}"


async def test_a_text_without_a_recorded_verdict_is_parsed_and_mapped_back(tmp_path: Path):
    judge = recorded(
        tmp_path,
        {"pair_id": "1", "order": "ab", "text": "<think>\\boxed{B}</think>A is right.\n\\boxed{A}"},
        {"pair_id": "1", "order": "ba", "text": "A is right.\n\\boxed{A}"},
        {"pair_id": "1", "order": "ba", "draw": 1, "text": "Who knows?"},
        {"pair_id": "1", "draw": 2, "text": "\\boxed{A}", "finish_reason": "length"},
    )
    straight = await judge.judge(pair("1"), "ab", 0)
    assert (straight.verdict, straight.rationale, straight.thinking) == ("A", "A is right.", "\\boxed{B}")
    assert (await judge.judge(pair("1"), "ba", 0)).verdict == "B"
    unread = await judge.judge(pair("1"), "ba", 1)
    assert (unread.verdict, unread.failure, unread.detail) == (None, "parse", "no \\boxed verdict")
    assert (await judge.judge(pair("1"), "ab", 2)).detail == "cut off at the token limit"


async def test_a_judgment_that_is_not_there_is_a_failed_call(tmp_path: Path):
    judge = recorded(tmp_path, {"pair_id": "1", "verdict": "A"})
    for name, order, draw in (("2", "ab", 0), ("1", "ba", 0), ("1", "ab", 1)):
        assert await judge.judge(pair(name), cast(Order, order), draw) == Judgment(
            pair_id=name,
            benchmark="mine",
            order=cast(Order, order),
            draw=draw,
            failure="call",
            detail="not recorded",
        )


async def test_of_rows_with_the_same_key_the_last_one_counts(tmp_path: Path):
    judge = recorded(tmp_path, {"pair_id": "1", "verdict": None}, {"pair_id": "1", "verdict": "B"})
    assert (await judge.judge(pair("1"), "ab", 0)).verdict == "B"


async def test_a_row_with_the_benchmark_is_preferred_to_one_without(tmp_path: Path):
    judge = recorded(
        tmp_path,
        {"pair_id": "1", "benchmark": "mine", "verdict": "B"},
        {"pair_id": "1", "verdict": "A"},
        {"pair_id": "1", "benchmark": "yours", "verdict": None},
    )
    assert (await judge.judge(pair("1"), "ab", 0)).verdict == "B"
    assert (await judge.judge(pair("1", "other"), "ab", 0)).verdict == "A"
    assert (await judge.judge(pair("1", "yours"), "ab", 0)).failure == "parse"


def test_a_bad_row_is_named_at_once(tmp_path: Path):
    with pytest.raises(BadRow, match=r"judgments\.jsonl:2: "):
        recorded(tmp_path, {"pair_id": "1", "verdict": "A"}, {"pair_id": "2", "verdict": "C"})
    with pytest.raises(BadRow, match=r"judgments\.jsonl:1: "):
        recorded(tmp_path, "{")


def test_a_file_without_a_row_is_no_measurement_of_nothing(tmp_path: Path):
    with pytest.raises(InputError, match=r"judgments.jsonl: no row that can be used, expected Judgment rows"):
        recorded(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.jsonl: no such file"):
        RecordedJudge(tmp_path / "none.jsonl")


def test_rows_are_counted_by_what_they_are_good_for(tmp_path: Path):
    rows = [
        {"pair_id": "1", "verdict": "A"},
        {"pair_id": "1", "verdict": "B"},  # the same call again
        {"pair_id": "1", "order": "ba", "verdict": "B"},
        {"pair_id": "2", "draw": 1, "verdict": "B"},
        {"pair_id": "3", "verdict": "B"},  # beyond the limit
        {"pair_id": "4", "verdict": "B"},
        {"pair_id": "2", "benchmark": "yours", "verdict": "B"},
        {"pair_id": "2", "verdict": "C"},  # no verdict that we know
        {"pair_id": "2", "benchmark": "mine", "verdict": "A"},
    ]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "judgments.jsonl").write_text("\n".join(lines), encoding="utf-8")
    skipped: list[BadRow] = []
    answers = RecordedJudge(tmp_path / "judgments.jsonl", skip_bad_rows=skipped).answers
    pairs = {("mine", "1"): 0, ("mine", "2"): 1, ("mine", "3"): -1}
    assert answers.use(pairs, ("ab",), 1) == {
        "rows": 9,
        "used": 2,
        "unknown_pair": 2,
        "beyond_limit": 1,
        "other_order": 1,
        "other_draw": 1,
        "duplicate": 1,
        "unreadable": 1,
    }
    with pytest.raises(InputError, match="none of its 9 rows is about a pair of this run"):
        answers.use({("mine", "one"): 0}, ("ab",), 1)


async def test_verdicts_in_the_letters_shown_are_turned_and_texts_are_anyway(tmp_path: Path):
    path = tmp_path / "judgments.jsonl"
    rows = [{"pair_id": "1", "order": order, "verdict": "A"} for order in ("ab", "ba")]
    rows.append({"pair_id": "2", "order": "ba", "text": "A is right.\n\\boxed{A}"})
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    asked = (("1", "ab"), ("1", "ba"), ("2", "ba"))
    for letters, verdicts in (("file", "AAB"), ("shown", "ABB")):
        judge = RecordedJudge(path, letters=letters)
        said = [(await judge.judge(pair(name), cast(Order, order), 0)).verdict for name, order in asked]
        assert said == list(verdicts)


async def test_gzip_and_parquet_are_read_as_well(tmp_path: Path):
    rows = [{"pair_id": "1", "text": "\\boxed{B}"}, {"pair_id": "2", "text": "\\boxed{A}"}]
    (tmp_path / "j.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "j.parquet")
    for name in ("j.jsonl.gz", "j.parquet"):
        judge = RecordedJudge(tmp_path / name)
        assert [(await judge.judge(pair(which), "ab", 0)).verdict for which in "12"] == ["B", "A"]


def test_memory_holds_no_texts(tmp_path: Path):
    text = "Reasons. " * 500 + "\\boxed{A}"
    path = tmp_path / "judgments.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(2_000):
            file.write(json.dumps({"pair_id": str(number), "text": text}) + "\n")
    tracemalloc.start()
    judge = RecordedJudge(path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_000 * 600
    assert judge is not None


def test_recorded_judgments_are_called_as_any_judge():
    assert signature(RecordedJudge.judge) == signature(Judge.judge)


@pytest.mark.skipif(not LLMBAR.exists(), reason="../shared/data is not there")
@pytest.mark.parametrize(
    ("name", "right_ab", "right_ba", "right_in_both", "same", "no_verdict"),
    [
        ("gpt-4", 340, 341, 318, 374, 0),
        ("chatgpt", 168, 170, 82, 244, 5),
        ("palm2", 233, 258, 133, 192, 6),
    ],
)
async def test_real_recorded_judges_give_their_published_counts(
    name: str, right_ab: int, right_ba: int, right_in_both: int, same: int, no_verdict: int
):
    judge = RecordedJudge(LLMBAR / f"judgments_{name}.jsonl")
    counts: Counter[str] = Counter()
    for line in (LLMBAR / "pairs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        asked = pair(row["id"], "llmbar", row["gt_label"])
        ab, ba = await judge.judge(asked, "ab", 0), await judge.judge(asked, "ba", 0)
        counts["ab"] += ab.verdict == asked.label
        counts["ba"] += ba.verdict == asked.label
        counts["both"] += ab.verdict == ba.verdict == asked.label
        counts["same"] += ab.verdict == ba.verdict and ab.verdict is not None
        counts["none"] += (ab.failure == "parse") + (ba.failure == "parse")
        assert ab.rationale == ab.text
    assert [counts[key] for key in ("ab", "ba", "both", "same", "none")] == [
        right_ab,
        right_ba,
        right_in_both,
        same,
        no_verdict,
    ]

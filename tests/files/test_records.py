"""Every record of a model's call as one line, and back; what a bad line is refused with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import BadRow
from ralign.files import RowLocation, decode, decode_row, encode, read_log
from ralign.files.pair_rows import parse_row
from ralign.records import Answered, GoldPoint, Judgment, MetaJudgment, Usage

HERE = RowLocation("records.jsonl", 1)
SHARED = Path(__file__).parents[2].parent / "shared"

texts = st.text(max_size=20)
maybe_text = st.none() | texts
counts = st.integers(0, 2**40)
shared_fields = {
    "pair_id": st.text(min_size=1).filter(str.strip),
    "benchmark": texts,
    "order": st.sampled_from(["ab", "ba"]),
    "draw": counts,
    "text": texts,
    "thinking": maybe_text,
    "detail": maybe_text,
    "model": maybe_text,
    "finish_reason": maybe_text,
    "usage": st.none()
    | st.builds(Usage, prompt_tokens=counts, completion_tokens=counts, cached_tokens=counts),
}
failures = st.sampled_from(["call", "parse"])


def encoded(**row: object) -> bytes:
    return json.dumps({"pair_id": "p1"} | row).encode()


@given(
    judgment=st.builds(Judgment, **shared_fields, rationale=texts, verdict=st.sampled_from("AB"))
    | st.builds(Judgment, **shared_fields, rationale=texts, failure=failures)
)
def test_a_judgment_comes_back_as_it_was(judgment: Judgment):
    line = encode(judgment)
    assert b"\n" not in line
    assert decode(Judgment, line, HERE) == judgment


points = st.lists(st.builds(GoldPoint, text=texts, stated=st.booleans()), max_size=3).map(tuple)


@given(
    meta_judgment=st.builds(MetaJudgment, **shared_fields, vote=counts, points=points, aligned=st.booleans())
    | st.builds(MetaJudgment, **shared_fields, vote=counts, points=points, failure=failures)
)
def test_a_meta_judgment_comes_back_as_it_was(meta_judgment: MetaJudgment):
    line = encode(meta_judgment)
    assert b"\n" not in line
    assert decode(MetaJudgment, line, HERE) == meta_judgment


def test_a_line_has_the_records_names_and_leaves_out_what_is_not_there():
    judgment = Judgment(pair_id="p1", text="A is right.", verdict="A", usage=Usage(prompt_tokens=3))
    assert json.loads(encode(judgment)) == {
        "pair_id": "p1",
        "benchmark": "",
        "order": "ab",
        "draw": 0,
        "text": "A is right.",
        "rationale": "",
        "verdict": "A",
        "failure": None,
        "usage": {"prompt_tokens": 3, "completion_tokens": 0, "cached_tokens": 0},
    }
    meta_judgment = MetaJudgment(
        pair_id="p1", points=(GoldPoint(text="prime", stated=True),), failure="parse"
    )
    assert json.loads(encode(meta_judgment)) == {
        "pair_id": "p1",
        "benchmark": "",
        "order": "ab",
        "draw": 0,
        "vote": 0,
        "aligned": None,
        "text": "",
        "failure": "parse",
        "points": [{"text": "prime", "stated": True}],
    }


def test_half_a_character_in_a_models_text_does_not_stop_the_run():
    judgment = Judgment(pair_id="p1", text="so \ud83d", rationale="\ud83d\ude00", verdict="B")
    back = decode(Judgment, encode(judgment), HERE)
    assert (back.text, back.rationale, back.verdict) == (
        "so \N{REPLACEMENT CHARACTER}",
        "\N{GRINNING FACE}",
        "B",
    )
    meta = MetaJudgment(pair_id="p1", points=(GoldPoint(text="\ud83d", stated=True),), aligned=True)
    assert decode(MetaJudgment, encode(meta), HERE).points[0].text == "\N{REPLACEMENT CHARACTER}"


def test_a_row_recorded_elsewhere_needs_little_and_may_hold_more():
    line = b'{"pair_id": 7, "text": "A it is.", "verdict": "A", "logprob": NaN, "usage": {"cost": 1}}'
    judgment, has_outcome = decode_row(Judgment, json.loads(line), HERE)
    assert has_outcome
    assert judgment == Judgment(
        pair_id="7", text="A it is.", rationale="A it is.", verdict="A", usage=Usage(), order="ab", draw=0
    )


def test_a_null_verdict_is_a_text_in_which_none_was_found():
    row = decode_row(Judgment, json.loads(encoded(text="Both are fine.", verdict=None)), HERE)
    assert (row.has_outcome, row.record.verdict, row.record.failure) == (True, None, "parse")
    meta = decode_row(MetaJudgment, json.loads(encoded(text="Hard to say.", aligned=None)), HERE)
    assert (meta.has_outcome, meta.record.aligned, meta.record.failure) == (True, None, "parse")


def test_a_row_without_a_verdict_is_to_be_parsed_and_a_run_directory_has_no_such_rows():
    line = encoded(text="A it is.")
    row = decode_row(Judgment, json.loads(line), HERE)
    assert (row.has_outcome, row.record.verdict, row.record.failure) == (False, None, None)
    with pytest.raises(BadRow, match=r"^j\.jsonl:4: verdict is missing, expected a value or null$"):
        decode(Judgment, line, RowLocation("j.jsonl", 4))
    meta = decode_row(MetaJudgment, json.loads(line), HERE)
    assert (meta.has_outcome, meta.record.aligned, meta.record.failure) == (False, None, None)
    with pytest.raises(BadRow, match=r"^m\.jsonl:4: aligned is missing, expected a value or null$"):
        decode(MetaJudgment, line, RowLocation("m.jsonl", 4))


def test_a_failed_call_has_nothing_to_parse():
    row = decode_row(Judgment, json.loads(encoded(failure="call")), HERE)
    assert (row.has_outcome, row.record.failure) == (True, "call")
    assert decode_row(MetaJudgment, json.loads(encoded(failure="call")), HERE).has_outcome


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "not JSON at column 2: Expecting property name enclosed in double quotes, expected an object"),
        (b"[]", "the row is a list, expected an object"),
        (b'{"verdict": "A"}', "pair_id is missing, expected a string that is not blank, or an integer"),
        (encoded(verdict="C"), "verdict is 'C', expected 'A', 'B', 'tie' or null"),
        (encoded(verdict=True), "verdict is true, expected 'A', 'B', 'tie' or null"),
        (encoded(verdict="A", order="AB"), "order is 'AB', expected 'ab', 'ba' or null"),
        (encoded(verdict="A", draw=-1), "draw is -1, expected a whole number from 0"),
        (encoded(verdict="A", draw="0"), "draw is '0', expected a whole number from 0"),
        (encoded(verdict="A", text=3), "text is 3, expected a string or null"),
        (encoded(failure="timeout"), "failure is 'timeout', expected 'call', 'parse' or null"),
        (
            encoded(verdict="A", failure="parse"),
            "verdict is 'A' beside failure 'parse', expected only one of them",
        ),
        (encoded(), "verdict and text are both missing, expected at least one of them (docs/formats.md)"),
        (encoded(verdict="A", usage=3), "usage is 3, expected an object or null"),
        (
            encoded(verdict="A", usage={"prompt_tokens": 1.5}),
            "usage.prompt_tokens is 1.5, expected a whole number from 0",
        ),
    ],
)
def test_a_bad_judgment_says_what_was_found_and_what_was_expected(line: bytes, problem: str):
    location = RowLocation("j.jsonl", 9)
    with pytest.raises(BadRow) as caught:
        decode_row(Judgment, parse_row(line, location), location)
    assert str(caught.value) == f"j.jsonl:9: {problem}"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (encoded(aligned="Correct"), "aligned is 'Correct', expected true, false or null"),
        (encoded(aligned=1), "aligned is 1, expected true, false or null"),
        (
            encoded(aligned=False, failure="call"),
            "aligned is false beside failure 'call', expected only one of them",
        ),
        (encoded(), "aligned and text are both missing, expected at least one of them (docs/formats.md)"),
        (encoded(aligned=True, vote=True), "vote is true, expected a whole number from 0"),
        (
            encoded(aligned=True, points={}),
            "points is an object, expected a list of objects with text and stated",
        ),
        (encoded(aligned=True, points=["x"]), "points[0] is 'x', expected an object with text and stated"),
        (
            encoded(aligned=True, points=[{"text": "x"}]),
            "points[0].stated is missing, expected true or false",
        ),
        (encoded(aligned=True, points=[{"stated": True}]), "points[0].text is missing, expected a string"),
    ],
)
def test_a_bad_meta_judgment_says_what_was_found_and_what_was_expected(line: bytes, problem: str):
    location = RowLocation("m.jsonl", 9)
    with pytest.raises(BadRow) as caught:
        decode_row(MetaJudgment, parse_row(line, location), location)
    assert str(caught.value) == f"m.jsonl:9: {problem}"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(("judge", "without_verdict"), [("gpt-4", 0), ("chatgpt", 5), ("palm2", 6)])
def test_the_public_judgments_are_read_and_come_back(judge: str, without_verdict: int):
    path = SHARED / f"data/llmbar/judgments_{judge}.jsonl"
    rows = [
        decode_row(Judgment, json.loads(line.data), RowLocation(path.name, line.number))
        for line in read_log(path)
    ]
    assert len(rows) == 838
    assert all(row.has_outcome for row in rows)
    assert sum(row.record.failure == "parse" for row in rows) == without_verdict
    for row in rows:
        assert decode(Judgment, encode(row.record), HERE) == row.record


Shade = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaded(Answered):
    """A kind of record that this module has never heard of."""

    OUTCOME: ClassVar[str] = "depth"

    buoy: str
    row: int
    shade: Shade
    depth: float | None = None
    lit: bool | None = None


@given(
    record=st.builds(
        Shaded,
        buoy=st.text(min_size=1).filter(str.strip),
        row=counts,
        shade=st.sampled_from(["light", "dark"]),
        depth=st.floats(allow_nan=False, allow_infinity=False),
        lit=st.none() | st.booleans(),
        text=texts,
        thinking=maybe_text,
    )
)
def test_a_new_kind_of_record_needs_no_code(record: Shaded):
    assert decode(Shaded, encode(record), HERE) == record


def test_a_line_begins_with_what_the_call_is_about():
    line = encode(Shaded(buoy="Bell", row=2, shade="dark", depth=4.5, text="Deep."))
    assert list(json.loads(line)) == ["buoy", "row", "shade", "depth", "text", "failure"]


def test_an_outcome_that_nobody_could_read_is_written_as_null_beside_its_failure():
    record = Shaded(buoy="Bell", row=0, shade="light", text="Er", failure="parse", detail="no number")
    row = json.loads(encode(record))
    assert (row["depth"], row["failure"], row["detail"]) == (None, "parse", "no number")
    assert decode(Shaded, encode(record), HERE) == record


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"shade": None}, "shade is null, expected 'light', 'dark'"),
        ({"shade": "dim"}, "shade is 'dim', expected 'light', 'dark'"),
        ({"buoy": " "}, "buoy is ' ', expected a string that is not blank, or an integer"),
        ({"depth": "4"}, "depth is '4', expected a number or null"),
        ({"depth": True}, "depth is true, expected a number or null"),
        ({"lit": 1}, "lit is 1, expected true, false or null"),
        ({"failure": "call"}, "depth is 4 beside failure 'call', expected only one of them"),
    ],
)
def test_a_field_is_checked_by_its_annotation(change: dict, problem: str):
    row = {"buoy": "Bell", "row": 1, "shade": "dark", "depth": 4, **change}
    with pytest.raises(BadRow) as caught:
        decode(Shaded, json.dumps(row).encode(), HERE)
    assert str(caught.value) == f"records.jsonl:1: {problem}"


def test_a_required_choice_that_is_missing_is_named():
    with pytest.raises(BadRow, match=r"^records\.jsonl:1: shade is missing, expected 'light', 'dark'$"):
        decode(Shaded, b'{"buoy": "Bell", "depth": 4}', HERE)

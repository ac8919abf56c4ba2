import gzip
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralign.errors import BadRow, InputError
from ralign.files import PairsFile, find_pairs_files, read_pairs, read_rows, write_pairs
from ralign.records import Message, PreferencePair

SHARED = Path(__file__).parents[2].parent / "shared"


def a_row(pair_id: object = "p1", **changes: object) -> dict[str, object]:
    return {
        "id": pair_id,
        "conversations": [{"role": "user", "content": "Which colour is the sky?"}],
        "response_A": "Blue.",
        "response_B": "Green.",
        "gt_label": "A",
    } | changes


def write_lines(path: Path, *lines: object) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts))


def read(*paths: Path) -> list[PreferencePair]:
    return list(read_pairs(find_pairs_files([str(path) for path in paths])))


def a_pair(pair_id: str = "p1", **unknown: object) -> PreferencePair:
    return PreferencePair(
        id=pair_id,
        conversation=(Message(role="user", content="Which colour is the sky?"),),
        response_a="Blue.",
        response_b="Green.",
        label="A",
        benchmark="pairs",
        unknown=unknown,
    )


def test_blank_lines_and_a_byte_order_mark_are_passed_over_and_lines_keep_their_numbers(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(a_row("p1")).encode() + b"\r\n\n  \n{]\n")
    pairs = read_pairs([PairsFile(path, "pairs.jsonl", "sky")])
    assert next(pairs).id == "p1"
    with pytest.raises(BadRow, match=r"^pairs\.jsonl:4: not JSON at column 2"):
        next(pairs)


def test_bad_rows_are_listed_and_passed_over_where_a_list_is_given(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    write_lines(path, a_row("p1"), a_row("p2", gt_label="C"), "{", a_row("p3"))
    bad_rows: list[BadRow] = []
    pairs = list(read_pairs(find_pairs_files([str(path)]), skip_bad_rows=bad_rows))
    assert [pair.id for pair in pairs] == ["p1", "p3"]
    assert [bad_row.line for bad_row in bad_rows] == [2, 3]
    assert bad_rows[0].problem == "gt_label is 'C', expected 'A', 'B', 'tie' or null"


def test_rows_of_any_schema_are_read_with_their_places(tmp_path: Path):
    write_lines(
        tmp_path / "other.jsonl", {"prompt": "Which colour?", "score": 3}, "not JSON", {"prompt": "Why?"}
    )
    pq.write_table(pa.Table.from_pylist([{"chosen": ["red"], "tag": None}]), tmp_path / "other.parquet")
    files = find_pairs_files([str(tmp_path / "other.jsonl"), str(tmp_path / "other.parquet")])
    skipped: list[BadRow] = []
    rows = [(place.line, row) for place, row in read_rows(files, skip_bad_rows=skipped)]
    assert rows == [
        (1, {"prompt": "Which colour?", "score": 3}),
        (3, {"prompt": "Why?"}),
        (1, {"chosen": ["red"]}),
    ]
    assert [bad.line for bad in skipped] == [2]
    with pytest.raises(BadRow, match=r"other\.jsonl:2: not JSON"):
        list(read_rows(files))


def test_an_id_twice_in_one_benchmark_is_a_bad_row_that_names_the_first(tmp_path: Path):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    source = {"benchmark": "sky"}
    write_lines(one, a_row(7, source=source))
    write_lines(other, a_row("8", source=source), a_row("7", source=source))
    with pytest.raises(BadRow) as caught:
        read(one, other)
    assert str(caught.value) == f"{other}:2: id is '7', which {one}:1 has already, expected each id once"


def test_a_bad_row_does_not_take_its_id(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    write_lines(path, a_row("p1", gt_label="C"), a_row("p1"))
    bad_rows: list[BadRow] = []
    pairs = list(read_pairs(find_pairs_files([str(path)]), skip_bad_rows=bad_rows))
    assert (len(pairs), len(bad_rows)) == (1, 1)


def test_the_same_id_under_two_benchmarks_is_two_pairs(tmp_path: Path):
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    write_lines(one, a_row("p1"))
    write_lines(other, a_row("p1"))
    assert [(pair.benchmark, pair.id) for pair in read(one, other)] == [("one", "p1"), ("other", "p1")]


def test_reading_is_lazy(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    write_lines(path, a_row("p1"), "not JSON")
    assert [pair.id for pair in islice(read_pairs(find_pairs_files([str(path)])), 1)] == ["p1"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str):
    path = tmp_path / f"pairs{suffix}"
    message = Message(
        role="system", content="Be brief.", unknown={"name": "x", "tools": [{"f": 1}, {"g": "h"}]}
    )
    pairs = [
        a_pair("p1", annotators=[{"id": 1, "notes": ["clear", "short"]}], score=2**80),
        replace(a_pair("p2", score=1), source={"subset": "day"}),
        replace(a_pair("p3", score="n/a"), source="night", gold_judgment="The sky is blue."),
        replace(a_pair("p4", flags={}, nothing=[]), source={"subset": "dusk", "deep": {"er": [1.5]}}),
    ]
    pairs[1] = replace(pairs[1], conversation=(message, *pairs[1].conversation))
    write_pairs(path, pairs)
    assert read(path) == pairs


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
# In Parquet a null is an absent key, so only there the columns themselves are never null.
columns = st.dictionaries(st.sampled_from(["x", "y", "z"]), json_values.filter(lambda v: v is not None))


@settings(max_examples=60, deadline=None)
@given(unknowns=st.lists(st.tuples(columns, columns), max_size=4))
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_unknown_columns_and_message_keys_survive_whatever_they_are(
    suffix: str, unknowns: list[tuple[dict[str, object], dict[str, object]]]
):
    pairs = [
        replace(
            a_pair(f"p{number}", **of_row),
            conversation=(Message(role="user", content="", unknown=of_message),),
        )
        for number, (of_row, of_message) in enumerate(unknowns)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"pairs{suffix}"
        write_pairs(path, pairs)
        assert read(path) == pairs


def test_a_column_whose_type_changes_after_the_first_batch_survives_in_parquet(tmp_path: Path):
    path = tmp_path / "pairs.parquet"
    pairs = [
        a_pair(
            f"p{number}",
            late=number if number < 1500 else "many",
            grows={"a": 1} if number < 700 else {"b": 2},
        )
        for number in range(1600)
    ]
    write_pairs(path, pairs)
    assert read(path) == pairs
    schema = pq.read_schema(path)
    assert pa.types.is_struct(schema.field("grows").type)
    assert isinstance(schema.field("late").type, pa.JsonType)


def test_a_parquet_file_made_elsewhere_is_read_with_its_nested_columns(tmp_path: Path):
    path = tmp_path / "pairs.parquet"
    rows = [
        a_row("p1", extra={"deep": [{"er": 1}]}, source={"subset": "day"}),
        a_row("p2"),
        a_row("p3", gt_label="C"),
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    bad_rows: list[BadRow] = []
    first, second = read_pairs(find_pairs_files([str(path)]), skip_bad_rows=bad_rows)
    assert first.unknown == {"extra": {"deep": [{"er": 1}]}}
    assert (first.subset, second.subset, second.unknown) == ("day", None, {})
    assert [(row.path, row.line) for row in bad_rows] == [(str(path), 3)]


def test_the_json_of_a_file_is_the_same_after_reading_and_writing(tmp_path: Path):
    path, copy = tmp_path / "pairs.jsonl", tmp_path / "copy.jsonl"
    rows = [
        a_row(17, gt_judgment="", source=None, note=None),
        a_row("p2", gt_judgment=None, big=10**40, text="\N{LINE SEPARATOR}é"),
        a_row("p3", conversations=[{"role": "user", "content": "", "extra": {"a": None}}]),
    ]
    write_lines(path, *rows)
    write_pairs(copy, read(path))
    assert [json.loads(line) for line in copy.read_bytes().splitlines()] == rows


def test_a_value_that_json_cannot_hold_is_an_error_that_names_the_pair_and_leaves_no_file(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    with pytest.raises(InputError, match="pair 'p1': JSON cannot hold it"):
        write_pairs(path, [a_pair("p1", image=b"\x00")])
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [a_pair("p1")])

    def breaks() -> Iterator[PreferencePair]:
        yield a_pair("p2")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_pairs(path, breaks())
    assert [pair.id for pair in read(path)] == ["p1"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["pairs.parquet", "pairs.jsonl.gz"])
def test_a_file_that_is_not_what_its_ending_says_is_an_error_in_one_line(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_text("nonsense")
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_gzipped_file_cut_short_is_an_error(tmp_path: Path):
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(a_row()).encode())[:-12])
    with pytest.raises(InputError, match="cannot be read"):
        read(path)


def test_a_gzipped_file_has_no_time_stamp_so_the_same_pairs_give_the_same_bytes(tmp_path: Path):
    path = tmp_path / "pairs.jsonl.gz"
    write_pairs(path, [a_pair()])
    assert path.read_bytes()[4:8] == bytes(4)


def test_another_ending_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"expected \.jsonl, \.jsonl\.gz, \.parquet"):
        write_pairs(tmp_path / "pairs.csv", [])


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str):
    path = tmp_path / f"pairs{suffix}"
    long_answer = "word " * 2000
    pairs = (replace(a_pair(f"p{number}"), response_a=f"{number}{long_answer}") for number in range(4000))
    tracemalloc.start()
    try:
        write_pairs(path, pairs)
        assert sum(1 for _ in read_pairs(find_pairs_files([str(path)]))) == 4000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6  # the answers alone are 40 MB


def test_importing_the_package_brings_in_neither_arrow_nor_the_hub_nor_torch():
    heavy = {"pyarrow", "huggingface_hub", "torch", "numpy"}
    code = f"import sys, ralign.files; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_the_public_pairs_survive_every_format(tmp_path: Path, suffix: str):
    original = SHARED / "data/llmbar/pairs.jsonl"
    pairs = read(original)
    assert len(pairs) == 419
    assert {pair.benchmark for pair in pairs} == {"llmbar"}
    assert {pair.subset for pair in pairs} == {"natural", "neighbor", "gptinst", "gptout", "manual"}
    copy, back = tmp_path / f"copy{suffix}", tmp_path / "back.jsonl"
    write_pairs(copy, pairs)
    assert read(copy) == pairs
    write_pairs(back, read(copy))
    with original.open() as one, back.open() as other:
        assert [json.loads(line) for line in one] == [json.loads(line) for line in other]

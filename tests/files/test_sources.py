from pathlib import Path

import pytest

from ralign.errors import InputError
from ralign.files import find_pairs_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()


def benchmarks(*sources: str) -> list[str]:
    return [file.benchmark for file in find_pairs_files(sources)]


def test_a_path_is_one_file_named_as_the_user_gave_it(folder: Path):
    touch("data/numbers.jsonl")
    (file,) = find_pairs_files(["data/numbers.jsonl"])
    assert (file.path, file.name, file.benchmark) == (
        Path("data/numbers.jsonl"),
        "data/numbers.jsonl",
        "numbers",
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_the_benchmark_is_the_name_without_its_ending(folder: Path, suffix: str):
    touch(f"my.numbers{suffix}")
    assert benchmarks(f"my.numbers{suffix}") == ["my.numbers"]


def test_a_glob_finds_files_of_pairs_sorted_and_two_stars_span_folders(folder: Path):
    touch("data/b.jsonl", "data/a.parquet", "data/deep/er/c.jsonl", "data/README.md", "data/x.jsonl/y.txt")
    assert benchmarks("data/*") == ["a", "b"]
    assert benchmarks("data/**/*.jsonl") == ["b", "c"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(folder: Path):
    touch("data[1].jsonl", "data1.jsonl")
    assert benchmarks("data[1].jsonl") == ["data[1]"]


def test_a_file_named_twice_is_read_once(folder: Path):
    touch("data/a.jsonl")
    assert benchmarks("data/a.jsonl", "data/*.jsonl", str(folder / "data/a.jsonl")) == ["a"]


def test_two_files_of_one_name_take_their_folders_names_with_it(folder: Path):
    touch("x/one/pairs.jsonl", "y/one/pairs.jsonl", "two/pairs.jsonl", "other.jsonl")
    found = benchmarks("x/one/pairs.jsonl", "y/one/pairs.jsonl", "two/pairs.jsonl", "other.jsonl")
    assert found == ["x/one/pairs", "y/one/pairs", "two/pairs", "other"]


def test_one_name_with_two_endings_in_one_folder_is_two_benchmarks(folder: Path):
    touch("a.jsonl", "a.parquet")
    one, other = benchmarks("a.*")
    assert one != other
    assert one.endswith("a.jsonl")


def test_the_pieces_of_one_table_are_one_benchmark(folder: Path):
    touch("a/train-00000-of-00002.parquet", "a/train-00001-of-00002.parquet")
    assert benchmarks("a/*") == ["train", "train"]
    touch("b/train-00000-of-00001.parquet")
    assert benchmarks("a/*", "b/*") == ["a/train", "a/train", "b/train"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("nothing.jsonl", "nothing.jsonl: no such file"),
        ("data/*.parquet", "data/*.parquet: no such file"),
        ("data", "data: a folder, expected a file or a glob such as data/*.jsonl"),
        ("data/notes.txt", "data/notes.txt: not a file of pairs, expected .jsonl, .jsonl.gz, .parquet"),
    ],
)
def test_a_source_that_means_no_file_of_pairs_is_an_error_in_one_line(
    folder: Path, source: str, problem: str
):
    touch("data/notes.txt")
    with pytest.raises(InputError) as caught:
        find_pairs_files([source])
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)

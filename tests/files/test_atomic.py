from pathlib import Path

import pytest

from ralign.errors import WriteFailed
from ralign.files import replacing, write_atomically


def test_a_file_is_replaced_whole_and_its_folder_is_made(tmp_path: Path):
    path = tmp_path / "new" / "results.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_content_stands_until_the_block_ends(tmp_path: Path):
    path = tmp_path / "results.json"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_block_that_fails_leaves_the_old_content_and_no_trace(tmp_path: Path):
    path = tmp_path / "results.json"
    path.write_bytes(b"old")

    def fails() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path):
    write_atomically(tmp_path / "one", b"")
    (tmp_path / "other").touch()
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed, match="cannot be written"):
        write_atomically(tmp_path / "file" / "results.json", b"")

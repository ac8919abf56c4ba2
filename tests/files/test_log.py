import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ralign.errors import RunLocked, WriteFailed
from ralign.files import AppendLog, DirectoryLock, read_line_at, read_log

WHOLE = b'{"n": 1}\n{"n": 2}\n'


def python(code: str, *args: object) -> "subprocess.Popen[str]":
    """A process that runs the code with this one's import path."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(path: Path) -> list[bytes]:
    return [line.data for line in read_log(path)]


def test_what_is_appended_is_read_back_in_order_and_by_offset(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    written = [b'{"n": %d, "text": "%s"}' % (n, b"x" * n) for n in range(100)]
    with AppendLog(path) as log:
        offsets = [log.append(line) for line in written[:60]]
    with AppendLog(path) as log:
        offsets += [log.append(line) for line in written[60:]]
    read = list(read_log(path))
    assert [line.data for line in read] == written
    assert [line.offset for line in read] == offsets
    assert [line.number for line in read] == list(range(1, 101))
    with path.open("rb") as file:
        assert [read_line_at(file, offset) for offset in reversed(offsets)] == written[::-1]


def test_a_missing_log_has_no_lines(tmp_path: Path):
    assert lines(tmp_path / "log.jsonl") == []


@pytest.mark.parametrize(
    "torn",
    [
        b'{"n": 3, "text": "it was',
        b'{"n": 3}',
        b"\x00" * 4096,
        b'{"n": 3, "te\n',
        b"\x00\x00\n",
        b"x" * 200_000,
    ],
)
def test_a_torn_last_line_is_cut_off_when_the_log_is_opened(tmp_path: Path, torn: bytes):
    path = tmp_path / "log.jsonl"
    path.write_bytes(WHOLE + torn)
    assert [line.data for line in read_log(path, skip_torn=True)] == [b'{"n": 1}', b'{"n": 2}']
    assert path.read_bytes() == WHOLE + torn  # reading changes nothing
    with AppendLog(path) as log:
        log.append(b'{"n": 4}')
    assert path.read_bytes() == WHOLE + b'{"n": 4}\n'


@pytest.mark.parametrize("content", [b"", WHOLE, WHOLE + b"\n", b'{"n": "%s"}\n' % (b"x" * 200_000)])
def test_a_whole_log_is_left_as_it_is(tmp_path: Path, content: bytes):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    AppendLog(path).close()
    assert path.read_bytes() == content


def test_a_log_that_is_one_torn_line_becomes_empty(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n"')
    AppendLog(path).close()
    assert path.read_bytes() == b""


def test_only_the_last_line_can_be_torn(tmp_path: Path):
    """A bad line before a torn one is damage: it stays, and decoding it will say so."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": \n{"n": 3')
    AppendLog(path).close()
    assert lines(path) == [b'{"n": 1}', b'{"n": ']


def test_a_file_made_by_hand_may_lack_the_last_newline_and_hold_blank_lines(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n": 1}\r\n\n{"n": 3}')
    assert [(line.number, line.data) for line in read_log(path)] == [(1, b'{"n": 1}'), (3, b'{"n": 3}')]


def test_a_line_with_a_newline_is_refused(tmp_path: Path):
    with AppendLog(tmp_path / "log.jsonl") as log, pytest.raises(ValueError, match="newline"):
        log.append(b'{"n":\n1}')


APPENDS_FOR_EVER = """
import sys
from pathlib import Path
from ralign.files import AppendLog
log, n = AppendLog(Path(sys.argv[1])), int(sys.argv[2])
while True:
    log.append(b'{"n": %d, "text": "%s"}' % (n, b"x" * (n * 977 % 5000)))
    n += 1
    print(n, flush=True)
"""


def test_a_line_outlives_the_process_that_is_killed_after_writing_it(tmp_path: Path):
    """Five kills; every line that was reported as written is there, once and whole."""
    path = tmp_path / "log.jsonl"
    found = 0
    for wait in (0.0, 0.01, 0.003, 0.03, 0.02):
        with python(APPENDS_FOR_EVER, path, found) as process:
            assert process.stdout is not None
            printed = process.stdout.readline()
            time.sleep(wait)
            process.kill()
            printed += process.stdout.read()
        AppendLog(path).close()
        numbers = [json.loads(line)["n"] for line in lines(path)]
        assert numbers == list(range(len(numbers)))
        reported = int(printed.split("\n")[-2])
        assert found < reported <= len(numbers)
        found = len(numbers)


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from ralign.errors import WriteFailed
from ralign.files import AppendLog, write_atomically
path = Path(sys.argv[1])
log = AppendLog(path)
log.append(b'{"n": 1}')
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    log.append(b'{"text": "' + b"x" * 2000 + b'"}')
except WriteFailed as error:
    print(error)
log.append(b'{"n": 2}')
log.close()
try:
    write_atomically(path, b"x" * 2000)
except WriteFailed as error:
    print(error)
"""


def test_a_full_disk_is_an_error_that_leaves_nothing_half_written(tmp_path: Path):
    """A limit on the size of files stands for the disk: the kernel writes what fits, then refuses."""
    path = tmp_path / "log.jsonl"
    process = python(FILLS_THE_DISK, path)
    printed, _ = process.communicate()
    assert process.returncode == 0
    first, second = printed.splitlines()
    assert first == f"{path}: a line cannot be written: File too large"
    assert second.startswith(f"{path}: cannot be written: ")
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_in_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(WriteFailed, match=r"log\.jsonl: cannot be opened for writing: No such file"):
        AppendLog(tmp_path / "nowhere" / "log.jsonl")


HOLDS_THE_LOCK = """
import sys, time
from pathlib import Path
from ralign.files import DirectoryLock
with DirectoryLock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_two_processes_on_one_directory_are_refused_and_a_kill_frees_it(tmp_path: Path):
    directory = tmp_path / "run"
    with python(HOLDS_THE_LOCK, directory) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(RunLocked) as caught:
            DirectoryLock(directory)
        assert str(caught.value).startswith(f"{directory}: process {process.pid} on ")
        process.kill()
    DirectoryLock(directory).release()


def test_the_lock_holds_within_one_process_too_and_ends_with_its_block(tmp_path: Path):
    with DirectoryLock(tmp_path), pytest.raises(RunLocked, match=f"process {os.getpid()} on "):
        DirectoryLock(tmp_path)
    DirectoryLock(tmp_path).release()

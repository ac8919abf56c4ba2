"""Append-only logs of JSON lines that survive a kill at any moment, the lock on their directory,
and files that are there complete or not at all.

A line reaches the kernel in one `write`, so a killed process leaves complete lines and at most one partial one
at the end. Opening a log for appending cuts that one off: what it said is owed again. Only the last line can be
partial this way; a bad line anywhere else is damage, and whoever decodes it raises `BadRow`.
"""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import orjson

from ralign.errors import InputError, RunLocked, WriteFailed


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A file to write to; it takes the place of `path` when the block ends, and is gone if it fails.

    Written beside `path` (a rename is atomic only within one file system) and synced before the rename. The
    folder is made where it is missing.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written; what was at `path` is still there.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            # Before the rename: a crash must not leave the new name with no content behind it.
            os.fsync(file.fileno())
        unfinished.replace(path)
    # Not only of our own writes: an error of the disk inside the caller's block ends here as well.
    except OSError as error:
        raise WriteFailed(f"{path}: cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`; raises as `replacing` does."""
    with replacing(path) as file:
        file.write(data)


_BLOCK = 1 << 16


class LogLine(NamedTuple):
    """One line of a log."""

    offset: int
    """Where it starts, in bytes, for `read_line_at`."""
    number: int
    """From 1, for messages."""
    data: bytes
    """The line without its newline."""


class AppendLog:
    """A log open for appending, its partial last line already cut off. One process and one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the log, and make it where it is missing.

        Raises:
            WriteFailed: the file cannot be opened for writing.
        """
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            with path.open("rb") as reader:
                self._size = _end_of_complete_lines(reader)
            os.ftruncate(self._file, self._size)
        except OSError as error:
            raise WriteFailed(f"{path}: cannot be opened for writing: {error.strerror}") from error

    def append(self, line: bytes) -> int:
        """Write one line, in one system call; it outlives a kill of this process from here on.

        Args:
            line: without a newline.

        Returns:
            The offset at which the line starts.

        Raises:
            WriteFailed: the disk is full or refuses. Nothing of the line is left in the file.
            ValueError: the line holds a newline.
        """
        # Two lines in one would be read as two records; orjson never writes one, other callers might.
        if b"\n" in line:
            raise ValueError("a line of a log holds a newline")
        data = line + b"\n"
        offset = self._size
        try:
            written = os.write(self._file, data)
            # A short write: the next one says why.
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            # What a full disk took of the line would otherwise stand before the next one, and damage both.
            os.ftruncate(self._file, offset)
            raise WriteFailed(f"{self.path}: a line cannot be written: {error.strerror}") from error
        self._size = offset + written
        return offset

    def close(self) -> None:
        """Sync the log to disk and close it. A second call does nothing."""
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            os.fsync(file)
        except OSError as error:
            raise WriteFailed(f"{self.path}: cannot be synced to disk: {error.strerror}") from error
        finally:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def read_log(path: Path, *, skip_partial: bool = False) -> Iterator[LogLine]:
    """Read a log line by line, blank lines left out. A missing file has no lines.

    Args:
        path: the log.
        skip_partial: leave a partial last line out, as `AppendLog` would cut it off: for the log of a run that may
            have been killed or may still be writing. Otherwise the last line is given however it ends, as
            people's own files often lack the last newline.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            end = _end_of_complete_lines(file) if skip_partial else None
            file.seek(0)
            offset = 0
            for number, line in enumerate(file, start=1):
                if end is not None and offset >= end:
                    return
                if not line.isspace():
                    yield LogLine(offset, number, line.rstrip(b"\r\n"))
                offset += len(line)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def read_line_at(file: BinaryIO, offset: int) -> bytes:
    """The line that starts at `offset`, without its newline."""
    file.seek(offset)
    return file.readline().rstrip(b"\r\n")


@contextmanager
def lock_directory(directory: Path) -> Generator[None]:
    """Hold the right to write to a run directory, which is made where it is missing.

    The kernel takes it back when the process ends or is killed.

    Raises:
        RunLocked: another process holds it.
        WriteFailed: the directory cannot be written.
    """
    path = directory / ".lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise WriteFailed(f"{path}: cannot be opened for writing: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The file stays when the lock goes: removing it would let two processes hold two files of one name.
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
        os.close(file)
        raise RunLocked(
            f"{directory}: {holder} is writing here; wait for it, stop it, or choose another directory"
        ) from None
    try:
        yield
    finally:
        os.close(file)


def _end_of_complete_lines(file: BinaryIO) -> int:
    """Where the last line starts if it is partial, otherwise the end of the file.

    Partial is a line without its newline: what a killed process leaves. So is one that has its newline and is
    not JSON: what a machine that crashed leaves where a file's length reached the disk before its content.
    """
    # Only the end is read: the log of a long run is gigabytes, and a resumed run is to start at once.
    size = file.seek(0, os.SEEK_END)
    end = _after_last_newline(file, size)
    if end < size or end == 0:
        return end
    start = _after_last_newline(file, end - 1)
    file.seek(start)
    last = file.read(end - start)
    try:
        orjson.loads(last)
    except orjson.JSONDecodeError:
        return end if last.isspace() else start
    return end


def _after_last_newline(file: BinaryIO, before: int) -> int:
    """The offset behind the last newline in the first `before` bytes; 0 where there is none."""
    while before > 0:
        start = max(0, before - _BLOCK)
        file.seek(start)
        newline = file.read(before - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        before = start
    return 0

"""Files that are there complete or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ralign.errors import WriteFailed


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
    except OSError as error:
        raise WriteFailed(f"{path}: cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`.

    Raises:
        WriteFailed: see `replacing`.
    """
    with replacing(path) as file:
        file.write(data)

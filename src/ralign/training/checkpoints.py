"""Which checkpoints of a run are whole. No engine says so: a killed one leaves a folder that looks like any other.

A checkpoint is `checkpoints/checkpoint-STEP`, as transformers names it. Once everything of it is written, it is sealed:
its files are synced to disk, and then a marker is put beside them that lists their sizes and names the run. What has no
marker, or not those files, was torn while it was being written, and is never gone on from.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import orjson

from ralign.errors import WriteFailed
from ralign.files import write_atomically

MARKER: Final = "whole.json"
_NAME: Final = re.compile(r"checkpoint-(\d+)")


class Checkpoint(NamedTuple):
    """One folder, and after which optimiser step it was written."""

    step: int
    path: Path


def run_digest(identity: Mapping[str, object]) -> str:
    """Name a run's identity, so that a checkpoint of another run is not taken for one of this."""
    text = repr(sorted((name, str(value)) for name, value in identity.items()))
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def seal(path: Path, digest: str) -> None:
    """Mark a checkpoint as whole, once every process has written its part.

    Raises:
        WriteFailed: the disk is full or refuses.
    """
    sizes: dict[str, int] = {}
    try:
        for file in sorted(each for each in path.rglob("*") if each.is_file() and each.name != MARKER):
            _sync(file)
            sizes[file.relative_to(path).as_posix()] = file.stat().st_size
        _sync(path)
    except OSError as error:
        raise WriteFailed(f"{path}: cannot be synced to disk: {error}") from error
    write_atomically(path / MARKER, orjson.dumps({"run": digest, "files": sizes}, option=orjson.OPT_INDENT_2))


def is_whole(path: Path, digest: str) -> bool:
    """Whether the checkpoint was sealed by this run and has all its files in their full length."""
    try:
        marker = orjson.loads((path / MARKER).read_bytes())
        sizes = cast("dict[str, Any]", marker["files"])
        return marker["run"] == digest and all(
            (path / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def checkpoints(folder: Path) -> list[Checkpoint]:
    """All checkpoints in a folder, whole or not, the oldest first."""
    return sorted(_found(folder))


def last_whole(folder: Path, digest: str) -> Checkpoint | None:
    """The checkpoint that a run goes on from; None where it starts afresh."""
    whole = [each for each in checkpoints(folder) if is_whole(each.path, digest)]
    return whole[-1] if whole else None


def remove_torn(folder: Path, digest: str) -> list[Checkpoint]:
    """Remove the checkpoints that are not whole; gives those that were."""
    torn = [each for each in checkpoints(folder) if not is_whole(each.path, digest)]
    for each in torn:
        shutil.rmtree(each.path)
    return torn


def prune(folder: Path, digest: str, *, keep: int) -> None:
    """Remove all but the last whole checkpoints. Called once the newest is sealed, so that one is always there."""
    whole = [each for each in checkpoints(folder) if is_whole(each.path, digest)]
    for each in whole[:-keep]:
        (each.path / MARKER).unlink()  # first, as a half-removed folder is a torn one
        shutil.rmtree(each.path)


def _found(folder: Path) -> Iterator[Checkpoint]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if (match := _NAME.fullmatch(path.name)) is not None and path.is_dir():
            yield Checkpoint(int(match[1]), path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Checkpoints that are complete. No engine says so: a killed one leaves a folder that looks like any other.

A checkpoint is `checkpoints/checkpoint-STEP`, as transformers names it. Once everything of it is written, it is
marked complete: its files are synced to disk, and then a marker is put beside them that lists their sizes and names the
run. A folder without a marker, or without those files, is partial, and is never resumed from.
"""

import os
import re
import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import orjson

from ralign.errors import WriteFailed
from ralign.files import write_atomically

MARKER: Final = "complete.json"
_NAME: Final = re.compile(r"checkpoint-(\d+)")


class Checkpoint(NamedTuple):
    """One folder, and after which optimizer step it was written."""

    step: int
    path: Path


def run_digest(identity: Mapping[str, object]) -> str:
    """Name a run's identity, so that a checkpoint of another run is not taken for one of this."""
    text = repr(sorted((name, str(value)) for name, value in identity.items()))
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def mark_complete(path: Path, digest: str) -> None:
    """Mark a checkpoint as complete, once every process has written its part.

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


def is_complete(path: Path, digest: str) -> bool:
    """Whether the checkpoint was marked by this run and has all its files in their full length."""
    try:
        marker = orjson.loads((path / MARKER).read_bytes())
        sizes = cast("dict[str, Any]", marker["files"])
        return marker["run"] == digest and all(
            (path / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def checkpoints(folder: Path) -> list[Checkpoint]:
    """All checkpoints in a folder, complete or partial, the oldest first."""
    return sorted(
        Checkpoint(int(match[1]), path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := _NAME.fullmatch(path.name)) is not None and path.is_dir()
    )


def last_complete(folder: Path, digest: str) -> Checkpoint | None:
    """The checkpoint that a run resumes from; None where it starts afresh."""
    complete = [each for each in checkpoints(folder) if is_complete(each.path, digest)]
    return complete[-1] if complete else None


def remove_partial(folder: Path, digest: str) -> list[Checkpoint]:
    """Remove the partial checkpoints; gives those that there were."""
    partial = [each for each in checkpoints(folder) if not is_complete(each.path, digest)]
    for each in partial:
        shutil.rmtree(each.path)
    return partial


def prune(folder: Path, digest: str, *, keep: int) -> None:
    """Remove all but the last complete checkpoints. Called once the newest is marked, so that one is always there."""
    complete = [each for each in checkpoints(folder) if is_complete(each.path, digest)]
    for each in complete[:-keep]:
        # First, as a half-removed folder is a partial one.
        (each.path / MARKER).unlink()
        shutil.rmtree(each.path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""What the user calls a set of pairs (a path, a glob, a hub name) -> the files to read."""

import glob
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ralign.errors import InputError

PAIRS_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
_HUB_PREFIX = "hf://"

# The hub's naming of a table cut in pieces: train-00000-of-00002.parquet. The pieces are one benchmark.
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.)")


class PairsFile(NamedTuple):
    """One file of preference pairs."""

    path: Path
    """Where it lies on this machine."""
    name: str
    """What messages call it: as the user gave it, or as the glob or the hub found it."""
    benchmark: str
    """What its pairs count under where their `source` names no benchmark."""


class _Found(NamedTuple):
    path: Path
    name: str
    place: PurePosixPath
    """The path that benchmark names are taken from: absolute, or OWNER/NAME/path on the hub."""


def find_pairs_files(sources: Sequence[str], *, cache_dir: Path | None = None) -> list[PairsFile]:
    """Find the files that the sources mean: each once, in the order of the sources, a glob's sorted by path.

    A file's benchmark is its name without its ending. Where two files would share it, both take as many of
    their folders' names with it as tell them apart: two benchmarks never become one by accident.

    Args:
        sources: paths, globs (`**` spans folders), or `hf://datasets/OWNER/NAME[@REVISION]/[PATH or GLOB]`.
        cache_dir: where files of the hub go; the hub library's own cache where None.

    Raises:
        InputError: a source that means no file, a file of another kind, or a hub that does not deliver.
    """
    found: dict[PurePosixPath, _Found] = {}
    for source in sources:
        for file in _on_the_hub(source, cache_dir) if source.startswith(_HUB_PREFIX) else _on_disk(source):
            found.setdefault(file.place, file)
    names = _benchmark_names([file.place for file in found.values()])
    return [PairsFile(file.path, file.name, names[file.place]) for file in found.values()]


def _on_disk(source: str) -> list[_Found]:
    path = Path(source).expanduser()
    if path.is_file():
        if not path.name.endswith(PAIRS_SUFFIXES):
            raise InputError(f"{source}: not a file of pairs, expected {', '.join(PAIRS_SUFFIXES)}")
        paths = [path]
    elif path.is_dir():
        raise InputError(f"{source}: a folder, expected a file or a glob such as {path / '*.jsonl'}")
    else:
        matched = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute glob)
        paths = [Path(match) for match in matched if match.endswith(PAIRS_SUFFIXES) and Path(match).is_file()]
    if not paths:
        raise InputError(
            f"{source}: no such file, expected {', '.join(PAIRS_SUFFIXES)}, a glob or hf://datasets/…"
        )
    # Not resolved: in the hub's cache two files with the same content are links to one blob.
    return [_Found(path, str(path), PurePosixPath(path.absolute().as_posix())) for path in paths]


def _on_the_hub(source: str, cache_dir: Path | None) -> list[_Found]:
    from ralign.files import hub  # the exception the package's docstring tells of

    return [
        _Found(file.path, file.name, PurePosixPath(file.repository) / file.path_in_repository)
        for file in hub.fetch(source, PAIRS_SUFFIXES, cache_dir=cache_dir)
    ]


def _benchmark_names(places: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The shortest ending of each path that no other path shares; the pieces of one table share theirs."""
    tables = {place: place.with_name(_SHARD.sub("", place.name)) for place in places}
    names: dict[PurePosixPath, str] = {}
    for folders in range(max((len(place.parts) for place in places), default=0)):
        endings = {table: _ending(table, folders) for table in set(tables.values())}
        shared = Counter(endings.values())
        for table, ending in endings.items():
            if shared[ending] == 1:
                names.setdefault(table, ending)
    # Left over: the same folder and name with two suffixes.
    return {place: names.get(table, str(table)) for place, table in tables.items()}


def _ending(table: PurePosixPath, folders: int) -> str:
    stem = table.name
    for suffix in PAIRS_SUFFIXES:
        stem = stem.removesuffix(suffix)
    parents = [part for part in table.parent.parts if part != "/"]
    return "/".join([*parents[max(0, len(parents) - folders) :], stem])

"""Sources of pairs as the user names them (a path, a glob, a hub name) -> the files to read."""

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
    """Its name in messages: as the user gave it, or as the glob or the hub found it."""
    benchmark: str
    """The benchmark of its pairs whose `source` names none."""


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
    # By the path that benchmark names are taken from: absolute, or OWNER/NAME/path on the hub.
    found: dict[PurePosixPath, tuple[Path, str]] = {}
    for source in sources:
        if source.startswith(_HUB_PREFIX):
            from ralign.files import hub  # the exception the package's docstring tells of

            for file in hub.fetch(source, PAIRS_SUFFIXES, cache_dir=cache_dir):
                key = PurePosixPath(file.repository) / file.path_in_repository
                found.setdefault(key, (file.path, file.name))
        else:
            for path in _on_disk(source):
                # Not resolved: in the hub's cache two files with the same content are links to one blob.
                found.setdefault(PurePosixPath(path.absolute().as_posix()), (path, str(path)))
    names = _benchmark_names(list(found))
    return [PairsFile(path, name, names[key]) for key, (path, name) in found.items()]


def _on_disk(source: str) -> list[Path]:
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
    return paths


def _benchmark_names(paths: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The shortest ending of each path that no other path shares; the pieces of one table share theirs."""
    tables = {path: path.with_name(_SHARD.sub("", path.name)) for path in paths}
    names: dict[PurePosixPath, str] = {}
    for folders in range(max((len(path.parts) for path in paths), default=0)):
        endings: dict[PurePosixPath, str] = {}
        for table in set(tables.values()):
            stem = table.name
            for suffix in PAIRS_SUFFIXES:
                stem = stem.removesuffix(suffix)
            parents = [part for part in table.parent.parts if part != "/"]
            endings[table] = "/".join([*parents[max(0, len(parents) - folders) :], stem])
        shared = Counter(endings.values())
        for table, ending in endings.items():
            if shared[ending] == 1:
                names.setdefault(table, ending)
    # Left over: the same folder and name with two suffixes.
    return {path: names.get(table, str(table)) for path, table in tables.items()}

"""Files of preference pairs, as the user names them (a path, a glob, a hub name), <-> `PreferencePair`, streamed.

What a row is: `pair_rows.py`. JSONL (also gzipped) and Parquet, by the file's ending. A run reads them from
disk as often as it needs them (`PairSource`), or keeps them where the files are small.
"""

import glob
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from ralign.errors import BadRow, InputError
from ralign.files.log import replacing
from ralign.files.pair_rows import Row, RowLocation, pair_from_row, row_from_pair
from ralign.files.rows import PAIRS_SUFFIXES, TABLE_SUFFIXES, PairsFile, read_rows
from ralign.files.sample import Key, sample
from ralign.records import PreferencePair

_HUB_PREFIX = "hf://"

# The hub's naming of a table cut in pieces: train-00000-of-00002.parquet. The pieces are one benchmark.
_SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.)")


def find_pairs_files(
    sources: Sequence[str], *, suffixes: Sequence[str] = PAIRS_SUFFIXES, cache_dir: Path | None = None
) -> list[PairsFile]:
    """Find the files that the sources mean: each once, in the order of the sources, a glob's sorted by path.

    A file's benchmark is its name without its ending. Where two files would share it, both take as many of
    their folders' names with it as tell them apart: two benchmarks never become one by accident.

    Args:
        sources: paths, globs (`**` spans folders), or `hf://datasets/OWNER/NAME[@REVISION]/[PATH or GLOB]`.
        suffixes: how their names must end.
        cache_dir: where files of the hub go; the hub library's own cache where None.

    Raises:
        InputError: a source that means no file, a file of another kind, or a hub that does not deliver.
    """
    # By the path that benchmark names are taken from: absolute, or OWNER/NAME/path on the hub.
    found: dict[PurePosixPath, tuple[Path, str]] = {}
    for source in sources:
        if source.startswith(_HUB_PREFIX):
            from ralign.files import hub  # the exception the package's docstring tells of

            for file in hub.fetch(source, suffixes, cache_dir=cache_dir):
                # Not rows, but what the hub's library says about them.
                if file.path.name in ("dataset_info.json", "dataset_infos.json"):
                    continue
                key = PurePosixPath(file.repository) / file.path_in_repository
                found.setdefault(key, (file.path, file.name))
        else:
            for path in _on_disk(source, tuple(suffixes)):
                # Not resolved: in the hub's cache two files with the same content are links to one blob.
                found.setdefault(PurePosixPath(path.absolute().as_posix()), (path, str(path)))
    names = _benchmark_names(list(found))
    return [PairsFile(path, name, names[key]) for key, (path, name) in found.items()]


def _on_disk(source: str, suffixes: tuple[str, ...]) -> list[Path]:
    path = Path(source).expanduser()
    if path.is_file():
        if not path.name.endswith(suffixes):
            raise InputError(f"{source}: not a file of pairs, expected {', '.join(suffixes)}")
        paths = [path]
    elif path.is_dir():
        raise InputError(f"{source}: a folder, expected a file or a glob such as {path / '*.jsonl'}")
    else:
        matched = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute glob)
        paths = [Path(match) for match in matched if match.endswith(suffixes) and Path(match).is_file()]
    if not paths:
        raise InputError(f"{source}: no such file, expected {', '.join(suffixes)}, a glob or hf://datasets/…")
    return paths


def _benchmark_names(paths: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The shortest ending of each path that no other path shares; the pieces of one table share theirs."""
    tables = {path: path.with_name(_SHARD.sub("", path.name)) for path in paths}
    names: dict[PurePosixPath, str] = {}
    # One folder more in each round; the first ending that only one table has is its name.
    for folders in range(max((len(path.parts) for path in paths), default=0)):
        endings: dict[PurePosixPath, str] = {}
        for table in set(tables.values()):
            stem = table.name
            for suffix in sorted(TABLE_SUFFIXES, key=len, reverse=True):
                stem = stem.removesuffix(suffix)
            parents = [part for part in table.parent.parts if part != "/"]
            endings[table] = "/".join([*parents[max(0, len(parents) - folders) :], stem])
        shared = Counter(endings.values())
        for table, ending in endings.items():
            if shared[ending] == 1:
                names.setdefault(table, ending)
    # Left over: the same folder and name with two suffixes.
    return {path: names.get(table, str(table)) for path, table in tables.items()}


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def read_pairs(
    files: Sequence[PairsFile], *, skip_bad_rows: list[BadRow] | None = None
) -> Iterator[PreferencePair]:
    """Read the pairs of all files, one at a time, in order.

    An id stands once within a benchmark, whichever files it spans; under two benchmarks it may stand twice.

    Args:
        files: from `find_pairs_files`.
        skip_bad_rows: None raises the first bad row. A list takes them all, and reading goes on.

    Raises:
        BadRow: a row that cannot be used, where `skip_bad_rows` is None.
        InputError: a file that cannot be read at all.
    """
    # Locations and not rows: this is all that is kept of what has been read.
    first_seen: defaultdict[str, dict[str, RowLocation]] = defaultdict(dict)
    for file in files:
        for location, row in read_rows([file], skip_bad_rows=skip_bad_rows):
            try:
                pair = pair_from_row(row, location, benchmark=file.benchmark)
                earlier = first_seen[pair.benchmark].setdefault(pair.id, location)
                if earlier is not location:
                    raise location.bad(
                        f"id is {pair.id!r}, which {earlier} has already, expected each id once"
                    )
            except BadRow as bad_row:
                if skip_bad_rows is None:
                    raise
                skip_bad_rows.append(bad_row)
            else:
                yield pair


def write_pairs(path: Path, pairs: Iterable[PreferencePair]) -> None:
    """Write the pairs, in the format that the path's ending says; the file is there complete or not at all.

    Raises:
        InputError: another ending than .jsonl, .jsonl.gz, .parquet, or a value the format cannot hold.
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    if not path.name.endswith(PAIRS_SUFFIXES):
        raise InputError(f"{path}: cannot write this kind of file, expected {', '.join(PAIRS_SUFFIXES)}")
    rows = map(row_from_pair, pairs)
    with replacing(path) as file:
        if path.name.endswith(".parquet"):
            from ralign.files import parquet  # the exception the package's docstring tells of

            parquet.write_rows(file, rows)
        elif path.name.endswith(".gz"):
            # No time stamp and no name: the same pairs give the same bytes.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                _write_lines(cast(BinaryIO, packed), rows)
        else:
            _write_lines(file, rows)


def _write_lines(file: BinaryIO, rows: Iterable[Row]) -> None:
    for row in rows:
        try:
            file.write(_ENCODE(row).encode() + b"\n")
        except TypeError as error:
            raise InputError(f"pair {row['id']!r}: JSON cannot hold it: {error}") from error


# Larger files are read twice, once to count and once to ask, so that memory stays flat.
_KEPT_BYTES = 8 << 20


class PairSource:
    """Pairs files as a run takes them.

    Args:
        files: from `find_pairs_files`.
        limit: only so many pairs; see `ralign.files.sample`.
        skip_bad_rows: leave rows out that cannot be used, and list them in `skipped`.
    """

    def __init__(
        self, files: Sequence[PairsFile], *, limit: int | None = None, skip_bad_rows: bool = False
    ) -> None:
        self.files = files
        self.skipped: list[BadRow] = []
        """The rows left out, once the pairs have been read."""
        self._skips = skip_bad_rows
        self._kept: list[PreferencePair] | None = None
        if sum(file.path.stat().st_size for file in files) <= _KEPT_BYTES:
            self._kept = list(self._read())
        self._taken: set[Key] | None = None
        if limit is not None:
            self._taken = sample(((pair.benchmark, pair.id) for pair in self.everything()), limit)

    def __iter__(self) -> Iterator[PreferencePair]:
        """The pairs that the limit takes, one by one; raises as `everything` does."""
        return filter(self.takes, self.everything())

    def everything(self) -> Iterator[PreferencePair]:
        """Every pair of the files, whatever the limit.

        Raises:
            BadRow: a row cannot be used, unless bad rows are skipped.
            InputError: there is no usable pair.
        """
        none = True
        for pair in self._read() if self._kept is None else self._kept:
            none = False
            yield pair
        if none:
            raise InputError(f"{', '.join(file.name for file in self.files)}: no usable pair")

    def takes(self, pair: PreferencePair) -> bool:
        """Whether the limit takes this pair."""
        return self._taken is None or (pair.benchmark, pair.id) in self._taken

    def _read(self) -> Iterator[PreferencePair]:
        self.skipped.clear()
        return read_pairs(self.files, skip_bad_rows=self.skipped if self._skips else None)


def mark_taken(pairs: Iterable[PreferencePair]) -> Iterator[tuple[PreferencePair, bool]]:
    """Every pair, with whether the limit of its source takes it: what a run directory remembers of its pairs.

    Its digest is of all of them, and an answer about one that today's limit leaves out is no stranger's: so a run is
    carried on under a higher limit, and read under a lower one.
    """
    if isinstance(pairs, PairSource):
        return ((pair, pairs.takes(pair)) for pair in pairs.everything())
    return ((pair, True) for pair in pairs)

"""Files of preference pairs <-> `PreferencePair`, streamed: no file is ever in memory as one.

What a row is: `pair_rows.py`. JSONL (also gzipped) and Parquet, by the file's ending.
"""

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ralign.errors import BadRow, InputError
from ralign.files.atomic import replacing
from ralign.files.pair_rows import pair_from_row, row_from_pair
from ralign.files.rows import Row, RowLocation, parse_row
from ralign.files.sources import PAIRS_SUFFIXES, PairsFile
from ralign.records import PreferencePair

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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


def read_rows(
    files: Sequence[PairsFile], *, skip_bad_rows: list[BadRow] | None = None
) -> Iterator[tuple[RowLocation, Row]]:
    """Read the rows of files of any schema, one at a time, in order: what converters start from.

    Args:
        files: from `find_pairs_files`.
        skip_bad_rows: None raises the first row that is no JSON object. A list takes them all, and reading goes on.

    Raises:
        BadRow: a row that is no JSON object, where `skip_bad_rows` is None.
        InputError: a file that cannot be read at all.
    """
    for file in files:
        for location, content in _lines(file):
            try:
                row = parse_row(content, location) if isinstance(content, bytes) else content
            except BadRow as bad_row:
                if skip_bad_rows is None:
                    raise
                skip_bad_rows.append(bad_row)
            else:
                yield location, row


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


def _lines(file: PairsFile) -> Iterator[tuple[RowLocation, bytes | Row]]:
    """Each row where it stands: still text where the file is JSONL, an object where it is Parquet."""
    if file.path.name.endswith(".parquet"):
        from ralign.files import parquet  # the exception the package's docstring tells of

        for number, row in parquet.read_rows(file.path, file.name):
            yield RowLocation(file.name, number), row
        return
    opened = gzip.open if file.path.name.endswith(".gz") else open
    try:
        with opened(file.path, "rb") as lines:
            for number, line in enumerate(cast(BinaryIO, lines), start=1):
                text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
                if not text.isspace():
                    yield RowLocation(file.name, number), text
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file.name}: cannot be read: {error}") from error


def _write_lines(file: BinaryIO, rows: Iterable[Row]) -> None:
    for row in rows:
        try:
            file.write(_ENCODE(row).encode() + b"\n")
        except TypeError as error:
            raise InputError(f"pair {row['id']!r}: JSON cannot hold it: {error}") from error

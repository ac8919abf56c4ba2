"""Rows of a file of any kind, streamed, each where it stands: what pairs and converters start from.

| ending            | what a row is                             | its number          |
| ----------------- | ----------------------------------------- | ------------------- |
| `.jsonl`          | a line                                    | the line            |
| `.json`           | an object of the one array; or as `.jsonl` | the object, from 1 |
| `.csv`, `.tsv`    | a record under the line of column names   | its last line       |
| `.parquet`        | a row                                     | the row, from 1     |
| `.arrow`, `.feather` | a row                                  | the row, from 1     |

All but the last two may be gzipped (`.gz`). A JSON array is read as a whole: it takes memory for the file, and as much
again for what is in it.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from ralign.errors import BadRow, InputError
from ralign.files.pair_rows import Row, RowLocation, parse_row, shown

PAIRS_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
"""Endings of files in the interchange format."""
TABLE_SUFFIXES = (
    *PAIRS_SUFFIXES,
    *(".json", ".json.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".arrow", ".feather"),
)
"""Endings of files that `ralign convert` reads."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Python's own limit on a CSV cell, 128 KiB, is less than an answer may have.
_LONGEST_CELL = 1 << 30


class PairsFile(NamedTuple):
    """One file of preference pairs, or of rows that are to become some."""

    path: Path
    """Where it lies on this machine."""
    name: str
    """Its name in messages: as the user gave it, or as the glob or the hub found it."""
    benchmark: str
    """The benchmark of its pairs whose `source` names none."""


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
        for location, content in _contents(file):
            try:
                if isinstance(content, bytes):
                    content = parse_row(content, location)
                elif not isinstance(content, dict):
                    raise location.bad(f"the row is {shown(content)}, expected an object")
            except BadRow as bad_row:
                if skip_bad_rows is None:
                    raise
                skip_bad_rows.append(bad_row)
            else:
                yield location, cast(Row, content)


def _contents(file: PairsFile) -> Iterator[tuple[RowLocation, object]]:
    """Each row where it stands: still bytes where it is a line of JSON, otherwise what it holds."""
    name = file.path.name.removesuffix(".gz")
    if name.endswith((".parquet", ".arrow", ".feather")):
        from ralign.files import parquet  # the exception the package's docstring tells of

        for number, row in parquet.read_rows(file.path, file.name):
            yield RowLocation(file.name, number), row
        return
    opened = gzip.open if file.path.name.endswith(".gz") else open
    try:
        with cast(BinaryIO, opened(file.path, "rb")) as stream:
            if name.endswith((".csv", ".tsv")):
                yield from _records(stream, file.name, delimiter="\t" if name.endswith(".tsv") else ",")
            elif name.endswith(".json") and (rows := _array(stream, file.name)) is not None:
                for number, row in enumerate(rows, start=1):
                    yield RowLocation(file.name, number), row
            else:
                # A byte-order mark and blank lines are passed over, but counted: `file:line` is what an editor shows.
                for number, line in enumerate(stream, start=1):
                    text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
                    if not text.isspace():
                        yield RowLocation(file.name, number), text
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file.name}: cannot be read: {error}") from error


def _array(stream: BinaryIO, name: str) -> list[object] | None:
    """The rows of a file that is one JSON document: an array, or an object with one array in it; None: lines."""
    data = stream.read().removeprefix(_BYTE_ORDER_MARK)
    stream.seek(0)
    try:
        document: object = json.loads(data.decode())
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(f"{name}: holds half a surrogate pair, expected whole characters") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start + 1}") from None
    except (ValueError, RecursionError) as error:
        # Lines of JSON under this ending are common; of them the second begins where the first document ends.
        if not data.lstrip().startswith(b"["):
            return None
        raise InputError(f"{name}: not a JSON array: {error}") from None
    if isinstance(document, list):
        return cast("list[object]", document)
    if isinstance(document, dict):
        arrays = [value for value in cast(Row, document).values() if isinstance(value, list)]
        # `{"version": 1, "data": [...]}`; an object with several arrays may itself be the one row.
        if len(arrays) == 1 and arrays[0] and all(isinstance(row, dict) for row in arrays[0]):
            rows = cast("list[Row]", arrays[0])
            if not {"role", "from"} & rows[0].keys():
                return cast("list[object]", rows)
    return [document]


def _records(stream: BinaryIO, name: str, *, delimiter: str) -> Iterator[tuple[RowLocation, Row]]:
    csv.field_size_limit(_LONGEST_CELL)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        names = next(reader, [])
        if doubled := {column for column in names if names.count(column) > 1}:
            raise BadRow(name, 1, f"column name {min(doubled)!r} comes twice, expected one name a column")
        for cells in reader:
            if not cells:
                continue
            # Not to be skipped as one bad row: what follows a quote that never closes is all shifted.
            if len(cells) != len(names):
                raise InputError(f"{name}:{reader.line_num}: {len(cells)} cells, expected {len(names)}")
            yield RowLocation(name, reader.line_num), dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise InputError(f"{name}:{reader.line_num}: not CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 text (byte {error.start})") from None
    finally:
        # The stream is its opener's to close.
        text.detach()

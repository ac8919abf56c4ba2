"""A CSV file of figures, one row a model: what `ralign downstream` writes and `ralign correlate` reads."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ralign.errors import BadRow, InputError
from ralign.files.log import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The cells of a CSV file as text, by column."""

    path: str
    lines: tuple[int, ...]
    """Where each row stands in the file; a quoted cell may span lines, the last one counts."""
    columns: dict[str, tuple[str, ...]]

    def texts(self, name: str) -> tuple[str, ...]:
        """The column as text.

        Raises:
            InputError: there is no such column.
        """
        if name not in self.columns:
            raise InputError(
                f"{self.path}: no column {name!r}; there are {', '.join(map(repr, self.columns))}"
            )
        return self.columns[name]

    def numbers(self, name: str) -> tuple[float | None, ...]:
        """The column as numbers, None where a cell is empty.

        Raises:
            InputError: there is no such column.
            BadRow: a cell is neither empty nor a finite number.
        """
        cells = self.texts(name)
        for cell, line in zip(cells, self.lines, strict=True):
            # Not "nan" and "inf" either: a mean over them would be one, without a word.
            if cell and not _is_number(cell):
                raise BadRow(self.path, line, f"{name} is {cell!r}, expected a number")
        return tuple(float(cell) if cell else None for cell in cells)

    def labels(self) -> tuple[str, ...]:
        """The rows' names: the column `model`, else the first that holds no number, else `line N`."""
        if "model" in self.columns:
            return self.columns["model"]
        texts = (cells for cells in self.columns.values() if not any(map(_is_number, cells)))
        return next(texts, tuple(f"line {line}" for line in self.lines))


def read_table(path: Path) -> Table:
    """Read a CSV file whose first line names the columns. Blank lines are skipped, cells stripped.

    Raises:
        InputError: the file is not there, is not UTF-8 text, or has no rows.
        BadRow: a column name that is missing or doubled, or a row with another number of cells.
    """
    try:
        # Spreadsheets write a byte-order mark; without utf-8-sig it would be part of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
    if not rows:
        raise InputError(f"{path}: empty, expected a line of column names and a row a model")
    (header_line, names), *body = rows
    for name in names:
        if not name or names.count(name) > 1:
            problem = f"column name {name!r} comes twice" if name else "a column has no name"
            raise BadRow(str(path), header_line, f"{problem}, expected one name a column")
    if not body:
        raise InputError(f"{path}: column names but no rows")
    for line, cells in body:
        if len(cells) != len(names):
            raise BadRow(str(path), line, f"{len(cells)} cells, expected {len(names)}")
    return Table(
        path=str(path),
        lines=tuple(line for line, _ in body),
        columns={name: tuple(cells[i] for _, cells in body) for i, name in enumerate(names)},
    )


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a CSV file; it is there complete or not at all, or `WriteFailed`. A cell without a value is blank."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    write_atomically(path, text.getvalue().encode())


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False

"""`ralign convert`: preference data of another schema -> pairs in the interchange format.

Comes in: files of a known schema, or of any, by the names of its columns. Goes out: one file of pairs, and a report of
what was read, what became of it, and what was left out for which reason.
"""

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from rich.console import Console

from ralign.data.convert.config import ConvertConfig
from ralign.data.convert.detect import INTERCHANGE, guess
from ralign.data.convert.labels import label_columns
from ralign.data.convert.position import as_pair
from ralign.data.convert.schemas import Schema, schemas
from ralign.data.convert.turns import LeftOut
from ralign.errors import BadRow, InputError
from ralign.files import (
    find_pairs_files,
    list_bad_rows,
    read_rows,
    write_atomically,
    write_pairs,
)
from ralign.files.pair_rows import Row, RowLocation, shown
from ralign.files.rows import TABLE_SUFFIXES
from ralign.records import PreferencePair

_ROWS_LOOKED_AT: Final = 20
_NO_LABEL: Final = "none"
"""In a report: the label of pairs that have none."""


@dataclass(slots=True)
class Converted:
    """The counts of a conversion."""

    rows: int = 0
    pairs: int = 0
    labels: Counter[str] = field(default_factory=Counter[str])
    """Pairs by label: A, B, tie or none."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """By reason: rows and comparisons that are as they should be and became no pair."""
    bad_rows: list[BadRow] = field(default_factory=list[BadRow])
    """Rows left out because they cannot be used."""
    ended_early: bool = False
    """Whether --limit ended it, so that nobody has seen the rest."""


def schema_of(config: ConvertConfig) -> Schema:
    """The schema that the sources' rows are read by."""
    schema = schemas(config)[config.format]
    return schema if config.benchmark is None else schema._replace(benchmark=config.benchmark)


def convert(config: ConvertConfig) -> Converted:
    """Convert the sources into one file of pairs, which is there whole or not at all, and a report beside it.

    Raises:
        BadRow: a row cannot be used, unless bad rows are skipped.
        InputError: a source that means no file, an ending that pairs are not written to, or a label that would be
            passed over.
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    assert config.out is not None, "the config asks for it"
    converted = Converted()
    write_pairs(config.out, _pairs(config, converted))
    report = {
        "format": config.format,
        "sources": config.sources,
        "rows": converted.rows,
        "pairs": converted.pairs,
        "labels": {label: converted.labels[label] for label in ("A", "B", "tie", _NO_LABEL)},
        "left_out": dict(converted.left_out.most_common()),
        "bad_rows": [str(row) for row in converted.bad_rows],
        "ended_by_limit": converted.ended_early,
        "seed": config.seed,
    }
    write_atomically(config.report, json.dumps(report, indent=2, ensure_ascii=False).encode())
    return converted


def show_converted(converted: Converted, config: ConvertConfig, console: Console) -> None:
    """Print the counts of a conversion."""
    for line in list_bad_rows(converted.bad_rows):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    labels = converted.labels
    lines = [
        f"{converted.pairs:,} pairs of {converted.rows:,} rows in {config.out}, the better answer A in {labels['A']:,} "
        f"and B in {labels['B']:,}."
    ]
    if labels["tie"] or labels[_NO_LABEL]:
        lines.append(f"Ties: {labels['tie']:,}; without a label: {labels[_NO_LABEL]:,}.")
    lines += [f"Left out: {count:,} ({reason})." for reason, count in converted.left_out.most_common()]
    if converted.ended_early:
        lines.append(f"--limit {config.limit} ended it: what follows was not read.")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def detect(config: ConvertConfig, console: Console) -> None:
    """Print which schema each source has, how it is converted, and its first pair.

    Raises:
        BadRow: the first row is none.
        InputError: a source that means no file, has no row, or has columns that do not look like two answers.
    """
    for file in find_pairs_files(config.sources, suffixes=TABLE_SUFFIXES):
        rows = list(islice(read_rows([file]), _ROWS_LOOKED_AT))
        if not rows:
            raise InputError(f"{file.name}: has no row")
        location, first = rows[0]
        # A Parquet file does not say which columns a row leaves out: one row alone may not have its label.
        row = {column: value for _, each in reversed(rows) for column, value in each.items()}
        if row.keys() >= INTERCHANGE:
            lines = ["pairs already: every command takes it as it is"]
        elif (found := guess(row, config)) is None:
            raise InputError(
                f"{location}: no two columns look like answers; there are {', '.join(map(repr, row))}; see `ralign "
                "convert --help` for answers and chosen-rejected, which read any columns"
            )
        else:
            lines = [f"ralign convert {found.arguments} {shlex.quote(file.name)} --out pairs.jsonl"]
            if found.unsure is not None:
                lines.append(f"  first: {found.unsure}")
            if found.schema is not None:
                lines += _first_pair(found.schema, first, location)
        for line in (f"{file.name}: {lines[0]}", *lines[1:]):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _first_pair(schema: Schema, row: Row, location: RowLocation) -> list[str]:
    try:
        comparison = schema.read(row, location)[0]
    except LeftOut as left_out:
        return [f"  the first row is left out: {left_out.reason}"]
    pair = as_pair(comparison, benchmark=schema.benchmark, seed=None)
    return [
        *(f"  {message.role}: {shown(message.content)}" for message in pair.conversation),
        f"  A: {shown(pair.response_a)}",
        f"  B: {shown(pair.response_b)}",
        f"  label: {pair.label or _NO_LABEL}"
        + ("" if schema.kept else " (A is the better one here; --seed draws its place)"),
    ]


class _Seen(NamedTuple):
    location: RowLocation
    content: int
    """A hash of the texts, to tell the same row twice from two rows of one id."""


def _pairs(config: ConvertConfig, converted: Converted) -> Iterator[PreferencePair]:
    schema = schema_of(config)
    skip = converted.bad_rows if config.skip_bad_rows else None
    seen: dict[str, _Seen] = {}
    files = find_pairs_files(config.sources, suffixes=TABLE_SUFFIXES)
    for location, row in read_rows(files, skip_bad_rows=skip):
        converted.rows += 1
        try:
            pairs = _pairs_of(schema, row, location, config, converted, seen)
        except LeftOut as left_out:
            converted.left_out[left_out.reason] += 1
            continue
        except BadRow as bad_row:
            if skip is None:
                raise
            skip.append(bad_row)
            continue
        for pair in pairs:
            converted.pairs += 1
            converted.labels[pair.label or _NO_LABEL] += 1
            yield pair
            if converted.pairs == config.limit:
                converted.ended_early = True
                return
    if converted.pairs and converted.labels[_NO_LABEL] == converted.pairs:
        raise InputError(
            f"{', '.join(file.name for file in files)}: no row has a label; `ralign convert detect` says which column "
            "looks like one"
        )


def _pairs_of(
    schema: Schema,
    row: Row,
    location: RowLocation,
    config: ConvertConfig,
    converted: Converted,
    seen: dict[str, _Seen],
) -> list[PreferencePair]:
    """The pairs of one row that are new. All of a row's problems are found before any of its pairs counts."""
    _refuse_unread_labels(schema, row, location, config)
    kept = schema.kept if config.positions is None else config.positions == "kept"
    left_out: Counter[str] = Counter()
    pairs: dict[str, PreferencePair] = {}
    for comparison in schema.read(row, location):
        if not comparison.first.strip() and not comparison.second.strip():
            raise location.bad("both answers are empty, expected at least one")
        pair = as_pair(comparison, benchmark=schema.benchmark, seed=None if kept else config.seed)
        if comparison.subset in config.leave_out:
            left_out[f"subset {comparison.subset}"] += 1
        elif config.ties == "leave-out" and pair.label not in ("A", "B"):
            left_out["tie" if pair.label == "tie" else "no label"] += 1
        # Of two equal answers none can be better; that they tie is as it should be.
        elif comparison.first == comparison.second and pair.label != "tie":
            left_out["the two answers are the same"] += 1
        elif (earlier := seen.get(pair.id)) is None:
            pairs[pair.id] = pair
        elif earlier.content == _content(pair):
            left_out["the same pair again"] += 1
        elif comparison.id is None:
            # Named by its content, so that only the label differs: two people, two opinions.
            left_out["the same answers again, with another label: the first one stands"] += 1
        else:
            raise location.bad(
                f"id is {pair.id!r}, which {earlier.location} has already, expected each id once"
            )
    seen.update((pair_id, _Seen(location, _content(pair))) for pair_id, pair in pairs.items())
    converted.left_out.update(left_out)
    return list(pairs.values())


def _refuse_unread_labels(schema: Schema, row: Row, location: RowLocation, config: ConvertConfig) -> None:
    """Stop where a column says which answer is better, and this schema would not read it.

    Raises:
        InputError: naming the column and the schema that reads it. Never skipped as a bad row: they are all like that.
    """
    unread = label_columns(row, besides={*schema.labels, *config.no_label})
    if not unread:
        return
    better = guess(row, config)
    column, value = unread[0], shown(row[unread[0]])
    advice = "see `ralign convert detect`" if better is None else f"use {better.arguments}"
    raise InputError(
        f"{location}: column {column!r} ({value}) looks like a label, which {config.format} would not read: {advice}, "
        f"or --no-label {column!r} if it is none"
    )


def _content(pair: PreferencePair) -> int:
    turns = tuple((message.role, message.content) for message in pair.conversation)
    return hash((turns, pair.response_a, pair.response_b, pair.label))

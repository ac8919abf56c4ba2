"""Rows of a Parquet file, streamed in and out, and of an Arrow file, in. Imported only where there is one: pyarrow is
heavy.

Parquet has one type a column, and no way to leave a key out; JSON rows have neither rule. So:

- A null is an absent key, in a row and in the objects inside it.
- A column is stored in the Arrow type that gives every one of its values back; where there is none (mixed
  types, integers over 64 bits, explicit nulls, empty objects), as JSON text with Arrow's `arrow.json` type,
  which is Parquet's own JSON type. Both are read back as the values they were.
"""

# pyarrow has no type stubs: what comes from it is unknown to the type checker.
# pyright: reportUnknownParameterType=false

import json
import pickle
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ralign.errors import InputError
from ralign.files.pair_rows import Row

# Rows held in memory at once, and to a row group.
_BATCH_ROWS = 512

# What pyarrow raises for values that no one Arrow type holds.
_NO_ARROW_TYPE = (pa.ArrowException, ValueError, TypeError, OverflowError)


def read_rows(path: Path, name: str) -> Iterator[tuple[int, Row]]:
    """The rows with their numbers, from 1.

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        InputError: not such a file, or a damaged one.
    """
    number = 0
    kind = "Parquet" if path.name.endswith(".parquet") else "Arrow"
    try:
        for batch in _batches(path, kind):
            json_columns = [field.name for field in batch.schema if isinstance(field.type, pa.JsonType)]
            for values in batch.to_pylist():
                number += 1
                row = cast(Row, _without_nulls(values))
                for column in json_columns:
                    if column in row:
                        row[column] = json.loads(cast(str, row[column]))
                yield number, row
    except (pa.ArrowException, OSError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name}: not readable as {kind} after row {number}: {reason}") from error


def _batches(path: Path, kind: str) -> Iterator[pa.RecordBatch]:
    if kind == "Parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS)
        return
    with pa.memory_map(str(path)) as source:
        # Feather (version 2) and Arrow files begin alike; the cache of Hugging Face's datasets holds streams.
        if source.read(6) == b"ARROW1":
            with pa.ipc.open_file(source) as file:
                yield from (file.get_batch(index) for index in range(file.num_record_batches))
        else:
            source.seek(0)
            with pa.ipc.open_stream(source) as stream:
                yield from stream


def write_rows(file: BinaryIO, rows: Iterable[Row]) -> None:
    """Write the rows as Parquet. They are spooled to disk once: the types are known only after the last row.

    Raises:
        InputError: a value that neither an Arrow type nor JSON holds.
    """
    rows = iter(rows)
    # Pickled, as JSON has no dates and bytes, which a row of another Parquet file may hold. The file has no name, so
    # nobody else can have put anything into it.
    with TemporaryFile() as spool:
        types: dict[str, pa.DataType | None] = {}
        while batch := list(islice(rows, _BATCH_ROWS)):
            pickle.dump(batch, spool, protocol=pickle.HIGHEST_PROTOCOL)
            for column in dict.fromkeys(column for row in batch for column in row):
                inferred = _exact_type([row.get(column) for row in batch])
                types[column] = _merged(types[column], inferred) if column in types else inferred
        schema = pa.schema(
            [
                pa.field(column, inferred if inferred is not None and _storable(inferred) else pa.json_())
                for column, inferred in types.items()
            ]
        )
        end = spool.tell()
        spool.seek(0)
        with pq.ParquetWriter(file, schema) as writer:
            while spool.tell() < end:
                batch = cast("list[Row]", pickle.load(spool))
                columns = [_array([row.get(field.name) for row in batch], field) for field in schema]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _without_nulls(value: object) -> object:
    """The value without the keys whose value is null, all the way down."""
    if isinstance(value, dict):
        present = cast(Row, value)
        return {key: _without_nulls(inner) for key, inner in present.items() if inner is not None}
    # A null inside a list stays: dropping it would move all that follows.
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in cast("list[object]", value)]
    return value


def _exact_type(values: list[object]) -> pa.DataType | None:
    """The Arrow type that gives these values back as they are, or None."""
    try:
        array = pa.array(values)
    except _NO_ARROW_TYPE:
        return None
    # NaN is not equal to itself, so a column that holds one becomes JSON: rare enough.
    return array.type if _without_nulls(array.to_pylist()) == values else None


def _merged(one: pa.DataType | None, other: pa.DataType | None) -> pa.DataType | None:
    """The type that holds the values of both unchanged: missing keys are filled in, nothing is cast."""
    if one is None or other is None:
        return None
    if pa.types.is_null(one) or one == other:
        return other
    if pa.types.is_null(other):
        return one
    if pa.types.is_list(one) and pa.types.is_list(other):
        items = _merged(one.value_type, other.value_type)
        return None if items is None else pa.list_(items)
    # Not Arrow's own unification, which would turn integers beside fractions into fractions.
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields: dict[str, pa.DataType] = {field.name: field.type for field in one}
        for field in other:
            merged = _merged(fields.get(field.name, pa.null()), field.type)
            if merged is None:
                return None
            fields[field.name] = merged
        return pa.struct(list(fields.items()))
    return None


def _storable(inferred: pa.DataType) -> bool:
    """Whether Parquet can write the type: it has no objects without keys."""
    if pa.types.is_struct(inferred):
        return inferred.num_fields > 0 and all(_storable(field.type) for field in inferred)
    return not pa.types.is_list(inferred) or _storable(inferred.value_type)


def _array(values: list[object], field: pa.Field) -> pa.Array:
    if not isinstance(field.type, pa.JsonType):
        return pa.array(values, field.type)
    try:
        texts = [None if value is None else json.dumps(value) for value in values]
    except TypeError as error:
        raise InputError(
            f"column {field.name!r} mixes what neither Parquet nor JSON holds: {error}"
        ) from error
    return pa.ExtensionArray.from_storage(field.type, pa.array(texts, field.type.storage_type))

"""Log of Inspect (read from inspect-ai 0.3.285; log format 2) -> figures. `inspect` need not be installed.

A `.eval` log is a ZIP whose `header.json` holds what a `.json` log holds, samples left out:

    status     "success", or the run did not end
    eval       task, model, config (limit, sample_id), …
    results    total_samples, completed_samples, scores: [{name, scorer, metrics: {accuracy: {value}}}]

Its entries are compressed with Zstandard, which Python's zipfile knows from 3.14 on only; pyarrow brings the codec.
"""

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ralign.downstream.scores import (
    Document,
    Figure,
    ResultsFile,
    finite,
    is_document,
    object_at,
    objects_at,
    text_at,
)
from ralign.errors import InputError

_HEADER = "header.json"
# The ZIP specification (APPNOTE.TXT), 4.4.5.
_ZSTANDARD = 93
# 4.3.7: signature, 22 bytes, length of name, length of extra field.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
# Metrics of another metric's spread.
_SPREAD = frozenset({"stderr", "std", "var", "bootstrap_stderr"})


def is_inspect(document: Document) -> bool:
    """Whether Inspect wrote it."""
    return "status" in document and is_document(document.get("eval"))


def read_inspect(path: str, document: Document) -> ResultsFile:
    """Read it; `is_inspect` holds."""
    evaluation = object_at(document, "eval")
    # Tasks of a package are named package/task.
    task = (text_at(evaluation, "task") or "").rpartition("/")[2]
    figures: list[Figure] = []
    for score in objects_at(object_at(document, "results"), "scores"):
        for metric, found in object_at(score, "metrics").items():
            value = finite(found.get("value")) if is_document(found) else None
            if metric not in _SPREAD and value is not None:
                figures.append(Figure(task=task, metric=f"{score.get('name')}/{metric}", value=value))
    return ResultsFile(
        path=path,
        source="Inspect",
        model=text_at(evaluation, "model"),
        figures=tuple(figures),
        partial=_partial(document),
    )


def _partial(document: Document) -> str | None:
    if document["status"] != "success":
        return f"its run ended with {document['status']!r}"
    if document.get("invalidated") is True:
        return "samples of it were declared invalid"
    config = object_at(document, "eval", "config")
    for key in ("limit", "sample_id"):
        if config.get(key) is not None:
            return f"only a part of its samples ({key} {config[key]})"
    results = object_at(document, "results")
    if results.get("completed_samples") != results.get("total_samples"):
        return f"{results.get('completed_samples')} of {results.get('total_samples')} samples"
    unscored = [score.get("unscored_samples") for score in objects_at(results, "scores")]
    if any(unscored):
        return f"{max(filter(None, map(finite, unscored)), default=0):.0f} samples without a score"
    return None


def read_eval_header(path: Path) -> object:
    """The header of a `.eval` log.

    Raises:
        InputError: no ZIP, or one without a readable header: another kind of file, or a run that has not ended.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            entry = archive.getinfo(_HEADER)
            data = _zstandard(file, entry) if entry.compress_type == _ZSTANDARD else archive.read(entry)
        return json.loads(data)
    except KeyError:
        # Inspect writes the header last.
        raise InputError(
            f"{path}: a ZIP without {_HEADER}, expected an Inspect log whose run has ended"
        ) from None
    # NotImplementedError is zipfile's word for a compression that it cannot read.
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as an Inspect log: {error}") from None


def _zstandard(file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
    """An entry's data, its checksum checked."""
    file.seek(entry.header_offset)
    signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"no entry at {entry.header_offset}")
    file.seek(name + extra, 1)
    packed = pa.BufferReader(file.read(entry.compress_size))
    # As a stream: a large entry is written in several frames, which a single decompression takes for the first alone.
    data = bytes(pa.CompressedInputStream(packed, "zstd").read())
    if zlib.crc32(data) != entry.CRC:
        raise zipfile.BadZipFile(f"{_HEADER} is damaged")
    return data

"""Failed calls in lighteval's details and in its cache, both Parquet: counted as wrong and never answered.

Where a call fails for good, lighteval 0.13 puts an empty text in the answer's place, scores it as wrong and keeps it
in its cache: an outage looks like a bad policy, in this run and in the next. (With several samples a
question it ends with an IndexError instead, and keeps the empty text all the same.) An answer that is empty because
the policy was still thinking has its reasoning beside it, and is rightly wrong.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ralign.downstream.scores import ResultsFile
from ralign.errors import InputError
from ralign.files import replacing


def count_failed_calls(file: ResultsFile) -> ResultsFile:
    """The same results, `partial` where calls failed. Needs the details that `--save-details` left beside them.

    lighteval keeps `results/MODEL/results_DATE.json` and `details/MODEL/DATE/details_TASK|0_DATE.parquet`.
    """
    path = Path(file.path)
    date = path.stem.removeprefix("results_")
    folders = [parent.name for parent in path.parents]
    if "results" not in folders:
        return file
    root = path.parents[folders.index("results")]
    details = root.with_name("details") / path.parent.relative_to(root) / date
    for task in sorted(details.glob("details_*.parquet")):
        responses = _objects(_table(task), "model_response")
        failed = sum(map(_failures, responses))
        answers = sum(len(_list(response, "text")) for response in responses)
        if failed:
            name = task.stem.removeprefix("details_").removesuffix(f"_{date}").partition("|")[0]
            return replace(
                file,
                partial=f"{failed} of {answers} answers to {name} are empty, calls that failed, scored as wrong",
            )
    return file


def forget_failed_calls(cache: Path) -> int:
    """Take the failed calls out of lighteval's cache, so that its next run asks again.

    Returns:
        How many samples were taken out.
    """
    forgotten = 0
    for path in sorted(cache.rglob("GENERATIVE.parquet")):
        table = _table(path)
        samples = _objects(table, "sample")
        kept = [not _failures(sample) for sample in samples]
        if all(kept):
            continue
        forgotten += len(kept) - sum(kept)
        with replacing(path) as file:
            pq.write_table(table.filter(pa.array(kept)), file)
    return forgotten


def _failures(response: dict[str, object]) -> int:
    """How many of a response's texts are empty, without reasoning."""
    texts, reasonings = _list(response, "text"), _list(response, "reasonings")
    reasonings += [None] * (len(texts) - len(reasonings))
    return sum(not text and not reasoning for text, reasoning in zip(texts, reasonings, strict=False))


def _table(path: Path) -> Any:
    """A `pyarrow.Table`, which has no type."""
    try:
        return pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as a table of lighteval: {error}") from None


def _objects(table: Any, column: str) -> Sequence[dict[str, object]]:
    if column not in table.column_names:
        return []
    rows = cast("list[object]", table.column(column).to_pylist())
    return [cast("dict[str, object]", row) for row in rows if isinstance(row, dict)]


def _list(row: dict[str, object], key: str) -> list[object]:
    value = row.get(key)
    return list(cast("list[object]", value)) if isinstance(value, list) else []

"""Files of benchmark results -> `ResultsFile`, whichever of four programs wrote them.

`results_*.json` of lighteval and of lm-eval, logs of Inspect (`.eval`, `.json`), and `results.json` of our own
`ralign winrate` and `ralign rubric` (or their run directory). Which it is, the content says and not the name.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ralign.downstream.inspect_results import is_inspect, read_eval_header, read_inspect
from ralign.downstream.json_access import Document, is_document
from ralign.downstream.lighteval_details import count_failed_calls
from ralign.downstream.lighteval_results import is_lighteval, read_lighteval
from ralign.downstream.lm_eval_results import is_lm_eval, read_lm_eval
from ralign.downstream.run_results import is_run, read_run
from ralign.downstream.scores import ResultsFile
from ralign.errors import InputError

_EXPECTED = (
    "expected results_*.json of lighteval or lm-eval, a log of Inspect (.eval or .json), or a run directory of "
    "ralign winrate or ralign rubric"
)
_ZIP = b"PK\x03\x04"


def read_results(sources: Sequence[str], *, allow_partial: bool) -> list[ResultsFile]:
    """Read files of results.

    Args:
        sources: files, or run directories; `NAME=PATH` says which benchmark it is, whatever the file calls it.
        allow_partial: take figures of a part of a benchmark too; each says so in `partial`.

    Raises:
        InputError: a file that cannot be read or is none of these, or one over a part of a benchmark.
    """
    files: list[ResultsFile] = []
    for source in sources:
        name, path = _name_and_path(source)
        file = _read(path / "results.json" if path.is_dir() else path)
        if file.partial is not None and not allow_partial:
            raise InputError(
                f"{file.path}: is not of the whole benchmark: {file.partial}; --allow-partial takes it all the same"
            )
        if name is not None:
            file = replace(file, figures=tuple(replace(figure, task=name) for figure in file.figures))
        files.append(file)
    return files


def _name_and_path(source: str) -> tuple[str | None, Path]:
    """A path may hold an equals sign as well: what is there as it stands is a path."""
    name, equals, path = source.partition("=")
    named = equals and name and "/" not in name and not Path(source).exists()
    return (name, Path(path).expanduser()) if named else (None, Path(source).expanduser())


def _read(path: Path) -> ResultsFile:
    document = _document(path)
    name = str(path)
    if is_lighteval(document):
        return count_failed_calls(read_lighteval(name, document))
    if is_inspect(document):
        return read_inspect(name, document)
    if is_run(document):
        return read_run(name, document)
    if is_lm_eval(document):
        return read_lm_eval(name, document)
    raise InputError(f"{path}: its keys are {', '.join(list(document)[:8]) or 'none'}, {_EXPECTED}")


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            zipped = file.read(4) == _ZIP
        # The standard library's reader: Inspect and lighteval write NaN where a figure is undefined.
        document: object = read_eval_header(path) if zipped else json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, {_EXPECTED}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}), {_EXPECTED}") from None
    if not is_document(document):
        raise InputError(f"{path}: is not a JSON object, {_EXPECTED}")
    return document

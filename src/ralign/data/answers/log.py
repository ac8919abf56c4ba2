"""An append-only log of answers, one line each, found again by the prompt's id.

Comes in: the log of earlier sessions, and answers as they come. Goes out: where each prompt stands. In memory there
is one small record a prompt; the texts stay on disk.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import orjson

from ralign.data.answers.answer import Answer, Problem
from ralign.errors import InputError
from ralign.files import AppendLog, read_line_at, read_log
from ralign.files.rows import (
    RowLocation,
    identifier,
    optional_choice,
    optional_string,
    parse_row,
    whole_number,
)
from ralign.records import Usage


@dataclass(slots=True)
class Standing:
    """Where one prompt stands."""

    draws: int = 0
    """Answers that came back; the next one to ask for."""
    taken: int | None = None
    """Where in the log the answer starts that can be compared with; None: there is none yet."""
    problem: Problem | None = None
    """What was wrong with the last one that came back."""

    def owes(self, draws_limit: int) -> bool:
        """Whether the prompt is to be asked (again)."""
        return self.taken is None and self.draws < draws_limit


class AnswerLog:
    """One log. Reading needs nothing; writing needs the lock of its directory, and the log as a context manager."""

    def __init__(self, path: Path, ids: Iterable[str]) -> None:
        """Find what is recorded; a torn last line and calls that failed are owed again.

        Raises:
            BadRow: a line other than the last cannot be read.
            InputError: a line is about a prompt that the run does not have.
        """
        self.path = path
        self.usage = Usage()
        """Tokens of every recorded call, whichever session paid them."""
        self.call_failures = 0
        """Calls of this session that failed for good."""
        self.standings = {name: Standing() for name in ids}
        self._log: AppendLog | None = None
        for line in read_log(path, skip_torn=True):
            answer = decode_answer(line.data, RowLocation(str(path), line.number))
            if answer.prompt_id not in self.standings:
                raise InputError(
                    f"{path}:{line.number}: prompt {answer.prompt_id!r} is not in the prompt files"
                )
            self._note(answer, line.offset)

    def __enter__(self) -> Self:
        """Open the log for appending.

        Raises:
            WriteFailed: the file cannot be opened for writing.
        """
        self._log = AppendLog(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log is not None:
            self._log.close()

    def append(self, answer: Answer) -> None:
        """Append an answer; it is on disk, whole, when this returns."""
        assert self._log is not None, "the log is open only as a context manager"
        offset = self._log.append(encode_answer(answer))
        self.call_failures += answer.failure == "call"
        self._note(answer, offset)

    def taken(self, prompt_id: str) -> Answer | None:
        """The answer of a prompt that can be compared with, read back from its line; None where there is none."""
        offset = self.standings[prompt_id].taken
        if offset is None:
            return None
        with self.path.open("rb") as file:
            return decode_answer(read_line_at(file, offset), RowLocation(str(self.path), 0))

    def _note(self, answer: Answer, offset: int) -> None:
        if answer.usage is not None:
            self.usage = Usage(
                prompt_tokens=self.usage.prompt_tokens + answer.usage.prompt_tokens,
                completion_tokens=self.usage.completion_tokens + answer.usage.completion_tokens,
            )
        if answer.failure == "call":  # it answered nothing: owed again
            return
        standing = self.standings[answer.prompt_id]
        standing.draws = max(standing.draws, answer.draw + 1)
        standing.problem = answer.problem
        if standing.problem is None:
            standing.taken = offset


def encode_answer(answer: Answer) -> bytes:
    """One line of the log, its Nones left out but `failure`."""
    fields = {name: getattr(answer, name) for name in Answer.__dataclass_fields__}
    kept = {name: value for name, value in fields.items() if value is not None or name == "failure"}
    return orjson.dumps(kept)


def decode_answer(data: bytes, place: RowLocation) -> Answer:
    """Read one line of the log.

    Raises:
        BadRow: it is no answer.
    """
    row = parse_row(data, place)
    usage = row.get("usage")
    tokens = cast("dict[str, object]", usage) if isinstance(usage, dict) else None
    return Answer(
        prompt_id=identifier(row, "prompt_id", place),
        draw=whole_number(row, "draw", place),
        text=optional_string(row, "text", place) or "",
        thinking=optional_string(row, "thinking", place),
        failure=optional_choice(row, "failure", ("call",), place),
        detail=optional_string(row, "detail", place),
        model=optional_string(row, "model", place),
        finish_reason=optional_string(row, "finish_reason", place),
        usage=None
        if tokens is None
        else Usage(
            prompt_tokens=whole_number(tokens, "prompt_tokens", place, at="usage."),
            completion_tokens=whole_number(tokens, "completion_tokens", place, at="usage."),
        ),
    )

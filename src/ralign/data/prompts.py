"""Files of prompts -> `PolicyPrompt`. JSONL (also gzipped) and Parquet, from a path, a glob or the hub.

A row has `id` and its prompt in one of three columns, whichever it has:

- `conversation`: messages (role, content), the last one the user's;
- `conversations`: the same by its name in the paper's interchange format, so that a file of pairs is one of prompts;
- `prompt`: a text, or messages as TRL's data sets have them.

Everything else stays in `row` and is written back as it came. A row with two of the columns is refused: which of
them the policy is to see is not for us to guess.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ralign.errors import BadRow, InputError
from ralign.files import PairsFile, find_pairs_files, read_rows, replacing
from ralign.files.pair_rows import Row, RowLocation, expected, identifier, read_conversation
from ralign.files.sample import sample
from ralign.records import Message

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPrompt:
    """One prompt that a policy answers."""

    id: str
    conversation: tuple[Message, ...]
    """The messages up to and including the last user turn."""
    row: Mapping[str, object]
    """The row as it was read, every column of it."""
    location: RowLocation
    """Where it stands, for errors."""

    def answer(self, column: str) -> str:
        """The answer that a column holds.

        Raises:
            BadRow: the column is missing, holds no text, or a blank one.
        """
        text = self.row.get(column)
        if not isinstance(text, str) or not text.strip():
            raise expected(dict(self.row), column, "an answer", self.location)
        return text


def read_prompts(sources: Sequence[str], *, skip_bad_rows: list[BadRow] | None = None) -> list[PolicyPrompt]:
    """Read the prompts of all files, in order. An id stands once, whichever file it is in.

    Args:
        sources: paths, globs, or `hf://datasets/…`.
        skip_bad_rows: None raises the first bad row. A list takes them all, and reading goes on.

    Raises:
        BadRow: a row that cannot be used, where `skip_bad_rows` is None.
        InputError: a source means no file, a file cannot be read, or there is no prompt.
    """
    files: list[PairsFile] = find_pairs_files(sources)
    seen: dict[str, PolicyPrompt] = {}
    for location, row in read_rows(files, skip_bad_rows=skip_bad_rows):
        try:
            prompt = prompt_from_row(row, location)
            if prompt.id in seen:
                raise location.bad(
                    f"id is {prompt.id!r}, which {seen[prompt.id].location} has already, expected each id once"
                )
        except BadRow as bad_row:
            if skip_bad_rows is None:
                raise
            skip_bad_rows.append(bad_row)
        else:
            seen[prompt.id] = prompt
    if not seen:
        raise InputError(f"{', '.join(file.name for file in files)}: no usable prompt")
    return list(seen.values())


def taken_prompts(prompts: Sequence[PolicyPrompt], limit: int | None) -> list[PolicyPrompt]:
    """The prompts that a limit takes, in their order; see `ralign.files.sample`."""
    if limit is None:
        return list(prompts)
    taken = sample((("", prompt.id) for prompt in prompts), limit)
    return [prompt for prompt in prompts if ("", prompt.id) in taken]


def prompt_from_row(row: Row, location: RowLocation) -> PolicyPrompt:
    """Check a row and make it a record.

    Raises:
        BadRow: the row cannot be used; the first problem found is named.
    """
    name = identifier(row, "id", location)
    conversation = read_conversation(row, location)
    return PolicyPrompt(id=name, conversation=conversation, row=row, location=location)


def prompts_digest(prompts: Iterable[PolicyPrompt], columns: Sequence[str] = ()) -> str:
    """16 hexadecimal digits that name the content: ids and conversations, and the answers in `columns`."""
    digest = blake2b(digest_size=8)
    for prompt in prompts:
        turns = [(message.role, message.content) for message in prompt.conversation]
        answers = [prompt.row.get(column) for column in columns]
        # As JSON, which no two different prompts share.
        digest.update(_ENCODE([prompt.id, turns, answers]).encode())
    return digest.hexdigest()


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as JSONL; the file is there whole or not at all.

    Raises:
        InputError: a row of a Parquet file holds what JSON cannot.
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as file:
        for row in rows:
            try:
                file.write(_ENCODE(row).encode() + b"\n")
            except TypeError as error:
                raise InputError(f"prompt {row['id']!r}: JSON cannot hold it: {error}") from error

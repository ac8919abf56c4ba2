"""`ralign convert`: preference data of another schema -> pairs in the interchange format, A and B placed by a seed.

Comes in: files of a known schema. Goes out: one file of pairs, and the count of all that did not become one.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from rich.console import Console

from ralign.data.convert.config import ConvertConfig
from ralign.data.convert.position import assign_positions
from ralign.data.convert.schemas import (
    ChosenRejected,
    LeftOut,
    Schema,
    read_code_preference_pairs,
    read_helpsteer3,
    read_math_dpo,
    read_ppe,
    read_rewardbench2,
)
from ralign.errors import BadRow
from ralign.files import find_pairs_files, list_bad_rows, read_rows, write_pairs
from ralign.files.rows import Row, RowLocation
from ralign.records import PreferencePair


@dataclass(slots=True)
class Converted:
    """The counts of a conversion."""

    rows: int = 0
    pairs: int = 0
    label_a: int = 0
    """Pairs whose label is A."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """By reason: rows and preferences that are as they should be and became no pair."""
    bad_rows: list[BadRow] = field(default_factory=list[BadRow])
    """Rows left out because they cannot be used."""


def schema_of(config: ConvertConfig) -> Schema:
    """The schema that the sources' rows are read by."""
    match config.format:
        case "helpsteer3":
            schema = Schema("HelpSteer3", read_helpsteer3)
        case "rewardbench2":
            schema = Schema("RewardBench2", partial(read_rewardbench2, seed=config.seed))
        case "ppe":
            schema = Schema("PPE-Preference", read_ppe)
        case "skywork":
            schema = Schema("Skywork-Reward-Preference-80K", ChosenRejected(subset_column="source").read)
        case "code-preference-pairs":
            schema = Schema("Code-Preference-Pairs", read_code_preference_pairs)
        case "math-dpo":
            schema = Schema("Math-DPO-10K", read_math_dpo)
        case "chosen-rejected":
            columns = ChosenRejected(
                prompt=config.prompt_column,
                chosen=config.chosen_column,
                rejected=config.rejected_column,
                id_column=config.id_column,
                subset_column=config.subset_column,
            )
            schema = Schema(config.out.name.partition(".")[0], columns.read)
    return schema if config.benchmark is None else schema._replace(benchmark=config.benchmark)


def convert(config: ConvertConfig) -> Converted:
    """Convert the sources into one file of pairs, which is there whole or not at all.

    Raises:
        BadRow: a row cannot be used, unless bad rows are skipped.
        InputError: a source that means no file, or an ending that pairs are not written to.
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    converted = Converted()
    write_pairs(config.out, _pairs(config, converted))
    return converted


def show_converted(converted: Converted, config: ConvertConfig, console: Console) -> None:
    """Print the counts of a conversion."""
    for line in list_bad_rows(converted.bad_rows):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{converted.pairs:,} pairs of {converted.rows:,} rows in {config.out}, the better answer A in "
        f"{converted.label_a:,}.",
        highlight=False,
        soft_wrap=True,
    )
    for reason, count in converted.left_out.most_common():
        console.print(f"Left out: {count:,} ({reason}).", highlight=False, soft_wrap=True)


class _Seen(NamedTuple):
    location: RowLocation
    content: int
    """A hash of the texts, to tell the same row twice from two rows of one id."""


def _pairs(config: ConvertConfig, converted: Converted) -> Iterator[PreferencePair]:
    schema = schema_of(config)
    skip = converted.bad_rows if config.skip_bad_rows else None
    seen: dict[str, _Seen] = {}
    for location, row in read_rows(find_pairs_files(config.sources), skip_bad_rows=skip):
        converted.rows += 1
        try:
            pairs = _pairs_of(schema, row, location, config, converted, seen)
        except BadRow as bad_row:
            if skip is None:
                raise
            skip.append(bad_row)
            continue
        for pair in pairs:
            converted.pairs += 1
            converted.label_a += pair.label == "A"
            yield pair
            if converted.pairs == config.limit:
                return


def _pairs_of(
    schema: Schema,
    row: Row,
    location: RowLocation,
    config: ConvertConfig,
    converted: Converted,
    seen: dict[str, _Seen],
) -> list[PreferencePair]:
    """The pairs of one row that are new. All of a row's problems are found before any of its pairs counts."""
    read = schema.read(row, location)
    if isinstance(read, LeftOut):
        converted.left_out[read.reason] += 1
        return []
    left_out: Counter[str] = Counter()
    pairs: dict[str, PreferencePair] = {}
    for preference in read:
        if not preference.chosen.strip() and not preference.rejected.strip():
            raise location.bad("both answers are empty, expected at least one")
        pair = assign_positions(preference, benchmark=schema.benchmark, seed=config.seed)
        if preference.subset in config.leave_out:
            left_out[f"subset {preference.subset}"] += 1
        elif preference.chosen == preference.rejected:
            left_out["the two answers are the same"] += 1
        elif (earlier := seen.get(pair.id)) is None:
            pairs[pair.id] = pair
        elif earlier.content == _content(pair):
            left_out["the same pair again"] += 1
        else:
            raise location.bad(
                f"id is {pair.id!r}, which {earlier.location} has already, expected each id once"
            )
    seen.update((pair_id, _Seen(location, _content(pair))) for pair_id, pair in pairs.items())
    converted.left_out.update(left_out)
    return list(pairs.values())


def _content(pair: PreferencePair) -> int:
    turns = tuple((message.role, message.content) for message in pair.conversation)
    return hash((turns, pair.response_a, pair.response_b, pair.label))

"""Preference pairs -> the rows verl trains on, and back: `extra_info` -> the pair a reward is for.

verl reads Parquet with four columns of its own (`data_source`, `prompt`, `reward_model`, `extra_info`) and passes a
reward function three of them, but not the prompt. So all that a reward needs of a pair travels in `extra_info`:
every row stands alone, and a reward worker on another node opens no file.

| column                      | holds                                                                        |
| --------------------------- | ---------------------------------------------------------------------------- |
| `data_source`               | the pair's benchmark; verl reports validation by it                          |
| `prompt`                    | the judge's prompt as messages, the answers in the row's order               |
| `reward_model.ground_truth` | the letter a right judgment ends in, as shown: what stands beside it in dumps |
| `extra_info`                | `index`, `id`, `benchmark`, `order`, `label` (the file's letters), `messages`, `response_a`, `response_b`, `gold_rationale` |
"""  # noqa: E501 (a table's row)

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from ralign.errors import InputError
from ralign.files import replacing
from ralign.files.parquet import write_rows
from ralign.files.rows import Row
from ralign.judging import Prompt, in_pair_letters, shown_responses
from ralign.records import Message, Order, PreferencePair


class ShownPair(NamedTuple):
    """A pair, and the order its answers are shown in."""

    pair: PreferencePair
    order: Order


def write_verl_data(path: Path, shown: Iterable[ShownPair], prompt: Prompt) -> int:
    """Write one row a shown pair; streamed, and whole or not at all. Gives the number of rows.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    written = 0

    def counted() -> Iterator[Row]:
        nonlocal written
        for each in shown:
            yield verl_row(each, prompt, index=written)
            written += 1

    with replacing(path) as file:
        write_rows(file, counted())
    return written


def verl_row(shown: ShownPair, prompt: Prompt, *, index: int) -> Row:
    """One row; see the module's table. `index` is its place in the file."""
    pair, order = shown
    first, second = shown_responses(pair, order)
    messages = prompt.render(pair.conversation, {"response_a": first, "response_b": second})
    extra_info: Row = {
        "index": index,
        "id": pair.id,
        "benchmark": pair.benchmark,
        "order": order,
        "label": pair.label,
        "messages": _turns(pair.conversation),
        "response_a": pair.response_a,
        "response_b": pair.response_b,
    }
    if (gold := pair.gold_rationale) is not None:
        extra_info["gold_rationale"] = gold
    return {
        "data_source": pair.benchmark,
        "prompt": _turns(messages),
        "reward_model": {"style": "rule", "ground_truth": in_pair_letters(pair.label, order)},
        "extra_info": extra_info,
    }


def shown_pair(extra_info: Mapping[str, Any]) -> ShownPair:
    """The pair that a row's `extra_info` holds, whatever verl has added to it or turned into arrays.

    Raises:
        InputError: a field is missing or holds something else: the file was not written by `ralign train`.
    """
    label, order = extra_info.get("label"), extra_info.get("order")
    if label not in ("A", "B") or order not in ("ab", "ba"):
        raise InputError(f"extra_info has label {label!r} and order {order!r}, expected A or B and ab or ba")
    # A null column comes back as None: this pair had none, another one had.
    gold = extra_info.get("gold_rationale")
    return ShownPair(
        PreferencePair(
            id=_text(extra_info, "id"),
            benchmark=_text(extra_info, "benchmark"),
            conversation=_messages(extra_info.get("messages")),
            response_a=_text(extra_info, "response_a"),
            response_b=_text(extra_info, "response_b"),
            label=label,
            gold_judgment=None if gold is None else str(gold),
        ),
        order,
    )


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _messages(turns: object) -> tuple[Message, ...]:
    # verl hands nested columns on as numpy arrays, which are no sequences.
    if not hasattr(turns, "__len__") or isinstance(turns, str):
        raise InputError("extra_info has no messages, expected the pair's conversation")
    return tuple(
        Message(role=_text(turn, "role"), content=_text(turn, "content"))
        for turn in cast("Sequence[Mapping[str, Any]]", turns)
    )


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise InputError(f"extra_info has no text {key!r} (found {type(value).__name__})")
    return value

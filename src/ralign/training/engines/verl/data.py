"""Rows of verl's data: examples -> rows, and back: `extra_info` -> the pair that a reward is for.

verl reads Parquet with four columns of its own (`data_source`, `prompt`, `reward_model`, `extra_info`) and passes a
reward function three of them, but not the prompt. So all that a reward needs of a pair travels in `extra_info`:
every row stands alone, and a reward worker on another node opens no file. A judge's row:

| column                      | holds                                                                   |
| --------------------------- | ----------------------------------------------------------------------- |
| `data_source`               | the pair's benchmark; verl reports by it                                |
| `prompt`                    | the judge's prompt as messages, the answers in the row's order          |
| `reward_model.ground_truth` | the letter, as shown, that a right judgment ends in; verl's dumps show it |
| `extra_info`                | `index`, `id`, `benchmark`, `order`, `label`, `messages`, `response_a`, `response_b`, `gold_rationale`; letters are the file's |
"""  # noqa: E501 (a table's row)

# A policy's row has the reference answer as its `ground_truth`, and in `extra_info` only `index`, `id` and `messages`:
# `ralign.serving.client` asks a running service, which knows the rest.

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ralign.errors import InputError
from ralign.files import replacing
from ralign.files.pair_rows import Row
from ralign.files.parquet import write_rows
from ralign.judging import in_pair_letters
from ralign.records import Message, Order, PreferencePair
from ralign.training.examples import Example

MakeRow = Callable[[Example, int, Collection[str]], Row]
"""Takes an example, its place in the file, and the control tokens to break."""


def write_verl_data(
    path: Path, examples: Iterable[Example], row: MakeRow, control_tokens: Collection[str] = ()
) -> None:
    """Write one row an example; streamed, and complete or not at all.

    Args:
        path: the Parquet file.
        examples: with their prompts.
        row: `judge_row` or `policy_row`.
        control_tokens: of the base model's tokenizer; a prompt is written without them, see `defused`.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as file:
        write_rows(file, (row(example, index, control_tokens) for index, example in enumerate(examples)))


def judge_row(example: Example, index: int, control_tokens: Collection[str] = ()) -> Row:
    """A judge's row; see the module's table. `index` is its place in the file."""
    pair, order = example.pair, example.order
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
        "prompt": _turns(example.prompt, control_tokens),
        "reward_model": {"style": "rule", "ground_truth": in_pair_letters(pair.label or "tie", order)},
        "extra_info": extra_info,
    }


def policy_row(example: Example, index: int, control_tokens: Collection[str] = ()) -> Row:
    """A policy's row. `index` is its place in the file."""
    return {
        "data_source": example.pair.benchmark,
        "prompt": _turns(example.prompt, control_tokens),
        "reward_model": {"style": "rule", "ground_truth": example.pair.response_b},
        "extra_info": {"index": index, "id": example.pair.id, "messages": _turns(example.prompt)},
    }


def defused(text: str, control_tokens: Collection[str]) -> str:
    """The text with every control token broken by a space after its first character.

    A candidate answer that spells out `<|im_end|>` must not end its turn. transformers 5.2x can tell such
    a text from the template's own token; verl 0.9 pins one that cannot, and renders the template itself.
    """
    # Longest first: a short token inside a long one would break it at a place where the rest is a token still.
    for token in sorted(control_tokens, key=len, reverse=True):
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def shown_pair(extra_info: Mapping[str, Any]) -> tuple[PreferencePair, Order]:
    """The pair and the order that a row's `extra_info` holds, whatever verl has added to it or turned into arrays.

    Raises:
        InputError: a field is missing or holds something else: the file was not written by `ralign train`.
    """
    label, order = extra_info.get("label"), extra_info.get("order")
    if label not in ("A", "B") or order not in ("ab", "ba"):
        raise InputError(f"extra_info has label {label!r} and order {order!r}, expected A or B and ab or ba")
    # verl hands nested columns on as numpy arrays, which are no sequences.
    turns: object = extra_info.get("messages")
    if not hasattr(turns, "__len__") or isinstance(turns, str):
        raise InputError("extra_info has no messages, expected the pair's conversation")
    conversation = tuple(
        Message(role=_text(turn, "role"), content=_text(turn, "content"))
        for turn in cast("Sequence[Mapping[str, Any]]", turns)
    )
    # A null column comes back as None: this pair had none, another one had.
    gold = extra_info.get("gold_rationale")
    pair = PreferencePair(
        id=_text(extra_info, "id"),
        benchmark=_text(extra_info, "benchmark"),
        conversation=conversation,
        response_a=_text(extra_info, "response_a"),
        response_b=_text(extra_info, "response_b"),
        label=label,
        gold_judgment=None if gold is None else str(gold),
    )
    return pair, order


def _turns(messages: Sequence[Message], control_tokens: Collection[str] = ()) -> list[dict[str, str]]:
    return [
        {"role": message.role, "content": defused(message.content, control_tokens)} for message in messages
    ]


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise InputError(f"extra_info has no text {key!r} (found {type(value).__name__})")
    return value

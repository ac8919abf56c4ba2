"""Prompts with reference answers -> what a policy is trained on, in the records that the engine takes.

A prompt becomes a `PreferencePair` whose answer A is still to be written: it is what the policy says. B is the
reference answer, without its thinking; blank where answers are compared with each other. The label is of no
consequence: no judge is shown it.
"""

from collections.abc import Iterable, Sequence

from ralign.data.prompts import PolicyPrompt, prompts_digest, read_prompts
from ralign.errors import BadRow
from ralign.policy.config import PolicyConfig
from ralign.policy.contests import BENCHMARK
from ralign.records import PreferencePair
from ralign.rewards.policy import visible_answer
from ralign.training.examples import Example, LeftOut, TrainingData


def load_policy_data(config: PolicyConfig) -> TrainingData:
    """Read the prompts; those without a reference answer are left out where one is needed.

    Raises:
        BadRow: a row that cannot be used, unless they are skipped.
        InputError: a file that cannot be read, or no prompt.
    """
    bad_rows: list[BadRow] = []
    prompts = read_prompts(
        config.prompts, limit=config.limit, skip_bad_rows=bad_rows if config.skip_bad_rows else None
    )
    column = config.reference_column if config.against == "reference" else None
    examples, left_out = _split(prompts, column)
    return TrainingData(
        examples=examples,
        left_out=left_out,
        bad_rows=tuple(bad_rows),
        pairs=len(prompts),
        digest=prompts_digest(prompts, [] if column is None else [column]),
    )


def _split(
    prompts: Sequence[PolicyPrompt], column: str | None
) -> tuple[tuple[Example, ...], tuple[LeftOut, ...]]:
    examples: list[Example] = []
    left_out: list[LeftOut] = []
    for prompt in prompts:
        reference = "" if column is None else _reference(prompt, column)
        if column is not None and not reference:
            left_out.append(LeftOut(prompt.id, f"no reference answer in the column {column}"))
            continue
        pair = PreferencePair(
            id=prompt.id,
            conversation=prompt.conversation,
            response_a="",
            response_b=reference,
            label="A",
            benchmark=BENCHMARK,
        )
        examples.append(Example(pair=pair, order="ab", prompt=prompt.conversation))
    return tuple(examples), tuple(left_out)


def _reference(prompt: PolicyPrompt, column: str) -> str:
    text = prompt.row.get(column)
    return visible_answer(text) if isinstance(text, str) else ""


def reference_lengths(examples: Iterable[Example]) -> list[int]:
    """Characters of each reference answer."""
    return [len(example.pair.response_b) for example in examples]

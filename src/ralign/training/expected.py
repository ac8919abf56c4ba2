"""Forecast of a training run before it is started: steps, completions, tokens, calls, money. Nothing is loaded.

Nobody knows these exactly: a prompt is counted at four characters a token, completions and judgments at the length the
user expects, and a judge or meta-judge as if it had to be asked about every completion, which is a ceiling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ralign.models.model import CHARACTERS_PER_TOKEN, PYTHON, Expected, Price
from ralign.records import Usage
from ralign.training.examples import Example, TrainingData
from ralign.training.options import Stage, TrainingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTraining:
    """Expected amounts of a run."""

    steps: int
    prompts: int
    """Over all steps; a prompt that is seen twice counts twice."""
    completions: int
    """Sampled in reinforcement learning; 0 in supervised fine-tuning."""
    written_tokens: int
    """Of those completions."""
    trained_tokens: int
    """Prompts included: what goes forward and backward."""
    asked: Mapping[str, Expected] = field(default_factory=dict[str, Expected])
    """Calls by the role of who is asked."""


def expect(
    training: TrainingOptions, stage: Stage, data: TrainingData, *, completion_tokens: int
) -> ExpectedTraining:
    """Steps, completions and tokens of a run; whoever asks others adds the calls.

    Raises:
        InputError: there are fewer examples than one step takes.
    """
    steps = training.steps_over(len(data.examples), stage)
    prompts = steps * training.batch
    # How often each is.
    seen = prompts / len(data.examples)
    prompt_tokens = seen * sum(map(prompt_characters, data.examples)) / CHARACTERS_PER_TOKEN
    if stage == "sft":
        target = seen * sum(len(each.target or "") for each in data.examples) / CHARACTERS_PER_TOKEN
        return ExpectedTraining(
            steps=steps,
            prompts=prompts,
            completions=0,
            written_tokens=0,
            trained_tokens=round(prompt_tokens + target),
        )
    # At the expected length and not at --max-completion-tokens, which few completions reach.
    completions = prompts * training.group_size
    written = completions * completion_tokens
    return ExpectedTraining(
        steps=steps,
        prompts=prompts,
        completions=completions,
        written_tokens=written,
        # A rollout is used once, in as many mini-batches as there are.
        trained_tokens=round(prompt_tokens * training.group_size) + written,
    )


def calls(
    count: float, model: str, *, prompt_tokens: float, answer_tokens: float, price: Price | None
) -> Expected:
    """So many calls of a model, with the tokens of one; a Python function has none."""
    usage = Usage(prompt_tokens=round(count * prompt_tokens), completion_tokens=round(count * answer_tokens))
    if model.startswith(PYTHON):
        usage = Usage()
    return Expected(calls=round(count), usage=usage, price=price)


def expected_lines(
    expected: ExpectedTraining, training: TrainingOptions, stage: Stage, counted: str
) -> list[str]:
    """The same for people. `counted`: which lengths were assumed, by which flags."""
    lines = [f"{stage}: {expected.steps:,} steps of {training.batch:,} prompts"]
    if expected.completions:
        lines[0] += (
            f" and {training.group_size} completions each: {expected.completions:,} completions, about "
            f"{expected.written_tokens:,} tokens written"
        )
    lines[0] += f", about {expected.trained_tokens:,} tokens trained on, prompts included"
    for role, asked in expected.asked.items():
        money = "" if asked.money is None else f", {asked.money:,.2f} in money"
        lines.append(
            f"{role}: up to {asked.calls:,} calls, about {asked.usage.prompt_tokens:,} tokens in and "
            f"{asked.usage.completion_tokens:,} out{money}"
        )
    lines.append(
        f"Counted at {CHARACTERS_PER_TOKEN} characters a token and {counted}; as if every completion had to be judged. "
        "Nothing was loaded or called."
    )
    return lines


def prompt_characters(example: Example) -> int:
    """Characters of an example's prompt."""
    return sum(len(message.content) for message in example.prompt)

"""What a training run will take before it is started: steps, completions, tokens, calls, money. Nothing is loaded.

Nobody knows these exactly: a prompt is counted at four characters a token, a judgment and a meta-judgment at the length
the user expects, and the meta-judge as if it had to be asked about every judgment, which is a ceiling.
"""

from dataclasses import dataclass

from ralign.judging import Prompt
from ralign.metajudging import meta_prompt_values
from ralign.models.price import CHARACTERS_PER_TOKEN, Expected, Price
from ralign.records import Judgment, Usage
from ralign.training.config import TrainConfig
from ralign.training.examples import Example, TrainingData


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTraining:
    """What a run takes."""

    steps: int
    prompts: int
    """Over all steps; a prompt that is seen twice counts twice."""
    completions: int
    """Sampled in reinforcement learning; 0 in supervised fine-tuning."""
    written_tokens: int
    """Of those completions."""
    trained_tokens: int
    """Prompts included: what goes forward and backward."""
    meta_judge: Expected | None
    """None where none is asked."""


def expect(
    config: TrainConfig, data: TrainingData, meta_prompt: Prompt | None, price: Price | None
) -> ExpectedTraining:
    """What the run would take from its first step.

    Raises:
        InputError: there are fewer examples than one step takes.
    """
    steps = config.steps_over(len(data.examples))
    prompts = steps * config.batch
    seen = prompts / len(data.examples)  # how often each is
    prompt_tokens = seen * sum(map(_prompt_characters, data.examples)) / CHARACTERS_PER_TOKEN
    if config.stage == "sft":
        target = seen * sum(len(each.target or "") for each in data.examples) / CHARACTERS_PER_TOKEN
        return ExpectedTraining(
            steps=steps,
            prompts=prompts,
            completions=0,
            written_tokens=0,
            trained_tokens=round(prompt_tokens + target),
            meta_judge=None,
        )
    completions = prompts * config.group_size
    written = completions * config.expected_completion_tokens
    asked = None
    if meta_prompt is not None:
        rationale = "x" * (CHARACTERS_PER_TOKEN * config.expected_completion_tokens)
        characters = sum(_meta_characters(meta_prompt, each, rationale) for each in data.examples)
        usage = Usage(
            prompt_tokens=round(seen * config.group_size * characters / CHARACTERS_PER_TOKEN),
            completion_tokens=written,
        )
        asked = Expected(calls=completions, usage=usage, price=price)
    return ExpectedTraining(
        steps=steps,
        prompts=prompts,
        completions=completions,
        written_tokens=written,
        trained_tokens=round(prompt_tokens * config.group_size) + written,
        meta_judge=asked,
    )


def expected_lines(expected: ExpectedTraining, config: TrainConfig) -> list[str]:
    """The same for people."""
    lines = [f"{config.stage}: {expected.steps:,} steps of {config.batch:,} prompts"]
    if expected.completions:
        lines[0] += (
            f" and {config.group_size} judgments each: {expected.completions:,} completions, about "
            f"{expected.written_tokens:,} tokens written"
        )
    lines[0] += f", about {expected.trained_tokens:,} tokens trained on, prompts included"
    if (asked := expected.meta_judge) is not None:
        money = "" if asked.money is None else f", {asked.money:,.2f} in money"
        lines.append(
            f"meta-judge: up to {asked.calls:,} calls, about {asked.usage.prompt_tokens:,} tokens in and "
            f"{asked.usage.completion_tokens:,} out{money}"
        )
    lines.append(
        f"Counted at {CHARACTERS_PER_TOKEN} characters a token and {config.expected_completion_tokens:,} tokens an "
        "answer (--expected-completion-tokens); the meta-judge as if it had to be asked about every judgment. Nothing "
        "was loaded or called."
    )
    return lines


def _prompt_characters(example: Example) -> int:
    return sum(len(message.content) for message in example.prompt)


def _meta_characters(prompt: Prompt, example: Example, rationale: str) -> int:
    judgment = Judgment(pair_id=example.pair.id, order=example.order, rationale=rationale)
    messages = prompt.render(example.pair.conversation, meta_prompt_values(prompt, example.pair, judgment))
    return sum(len(message.content) for message in messages)

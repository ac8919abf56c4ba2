"""What a policy's training will take before it is started: steps, answers, judge calls, tokens, money. Nothing loaded.

Nobody knows these exactly: a prompt is counted at four characters a token, an answer and a judgment at the length the
user expects, and every answer as if it ended and had to be judged.
"""

from dataclasses import dataclass
from statistics import fmean

from ralign.judging import Prompt
from ralign.models.price import CHARACTERS_PER_TOKEN, Expected, Price
from ralign.policy.config import PolicyConfig
from ralign.policy.examples import reference_lengths
from ralign.records import Usage
from ralign.training.examples import TrainingData


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPolicy:
    """What a run takes."""

    steps: int
    answers: int
    written_tokens: int
    judge: Expected | None
    """None where a reward service judges."""
    second_judge: Expected | None = None


def expect(
    config: PolicyConfig,
    data: TrainingData,
    prompt: Prompt | None,
    price: Price | None,
    second_price: Price | None = None,
) -> ExpectedPolicy:
    """What the run would take from its first step.

    Raises:
        InputError: there are fewer prompts than one step takes.
    """
    steps = config.training_settings().steps_over(len(data.examples))
    answers = steps * config.batch * config.group_size
    if prompt is None:
        judge = second = None
    else:
        a_judgment = _prompt_tokens(config, data, prompt)
        judge = _asked(config, answers, a_judgment, price)
        turns = -(-steps // config.second_judge_every)
        second = (
            None
            if config.second_judge is None
            else _asked(config, turns * config.batch * config.group_size, a_judgment, second_price)
        )
    return ExpectedPolicy(
        steps=steps,
        answers=answers,
        written_tokens=answers * config.expected_completion_tokens,
        judge=judge,
        second_judge=second,
    )


def expected_lines(expected: ExpectedPolicy, config: PolicyConfig) -> list[str]:
    """What is printed of it."""
    lines = [
        f"{expected.steps:,} steps of {config.batch:,} prompts with {config.group_size} answers each: "
        f"{expected.answers:,} answers, about {expected.written_tokens:,} tokens written"
    ]
    for name, asked in (("judge", expected.judge), ("second judge", expected.second_judge)):
        if asked is not None:
            money = "" if asked.money is None else f", {asked.money:,.2f} in money"
            lines.append(
                f"{name}: {asked.calls:,} calls, about {asked.usage.prompt_tokens:,} tokens in and "
                f"{asked.usage.completion_tokens:,} out{money}"
            )
    lines.append(
        f"Counted at {CHARACTERS_PER_TOKEN} characters a token, {config.expected_completion_tokens:,} tokens an answer "
        f"(--expected-completion-tokens) and {config.expected_judgment_tokens:,} a judgment "
        "(--expected-judgment-tokens), thinking included. Nothing was loaded or called."
    )
    return lines


def _prompt_tokens(config: PolicyConfig, data: TrainingData, prompt: Prompt) -> float:
    """The mean over prompts: our prompt, the conversation, the policy's answer and what it is compared with."""
    empty = sum(len(message.content) for message in prompt.render((), {"response_a": "", "response_b": ""}))
    turns = fmean(sum(len(turn.content) for turn in example.prompt) for example in data.examples)
    answer = config.expected_completion_tokens
    other = (
        answer
        if config.against == "group"
        else fmean(reference_lengths(data.examples)) / CHARACTERS_PER_TOKEN
    )
    return (empty + turns) / CHARACTERS_PER_TOKEN + answer + other


def _asked(config: PolicyConfig, answers: int, prompt_tokens: float, price: Price | None) -> Expected:
    calls = round(answers * config.calls_per_answer)
    return Expected(
        calls=calls,
        usage=Usage(
            prompt_tokens=round(calls * prompt_tokens),
            completion_tokens=calls * config.expected_judgment_tokens,
        ),
        price=price,
    )

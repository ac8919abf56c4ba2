"""What a run will take before it is started: calls, tokens, money, by role. No call is made.

A prompt is counted at four characters a token and an answer at the length the user expects: nobody knows either
before it is drawn. How often a call has to be repeated, or leads to another, is not known either; so both ends are
given.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ralign.models.model import CHARACTERS_PER_TOKEN, Price, Request
from ralign.records import Usage
from ralign.runs.plan import Call, Plan


class Forecast(NamedTuple):
    """Calls, tokens and money that one role still takes."""

    calls: int = 0
    usage: Usage = Usage()
    money: float | None = None
    """None without a price."""


class Range(NamedTuple):
    """Forecast of one role, at least and at most."""

    least: Forecast
    most: Forecast


def forecast(plan: Plan[Any], prices: Mapping[str, Price], completion_tokens: int) -> dict[str, Range]:
    """Forecast of each role that asks a model; `prices` by role, `completion_tokens` of one answer."""
    asking = [role.name for role in plan.roles if role.live is not None]
    # A Python function is called and reads no tokens.
    tokenless = {role.name for role in plan.roles if role.live is not None and role.live.spec.is_python}
    characters = {name: [0, 0] for name in asking}
    calls = {name: [0, 0] for name in asking}
    # A later wave may depend on answers that are not there yet: it is counted as far as it is known.
    for items in plan.waves():
        for item in items:
            for end, made in enumerate(plan.forecast(item)):
                for name, length in _lengths(made):
                    calls[name][end] += 1
                    characters[name][end] += length
    found: dict[str, Range] = {}
    for name in asking:
        ends: list[Forecast] = []
        for end in (0, 1):
            usage = Usage(
                prompt_tokens=characters[name][end] // CHARACTERS_PER_TOKEN,
                completion_tokens=calls[name][end] * completion_tokens,
            )
            if name in tokenless:
                usage = Usage()
            price = prices.get(name)
            ends.append(Forecast(calls[name][end], usage, None if price is None else price.of(usage)))
        found[name] = Range(*ends)
    return found


def forecast_lines(found: Mapping[str, Range], completion_tokens: int) -> Iterable[str]:
    """The forecast as people read it."""
    for name, (least, most) in found.items():
        money = ""
        if least.money is not None and most.money is not None:
            money = f", {_range(least.money, most.money, '.2f')} in money"
        yield (
            f"{name.replace('_', '-')}: {_range(least.calls, most.calls)} calls, about "
            f"{_range(least.usage.prompt_tokens, most.usage.prompt_tokens)} tokens in and "
            f"{_range(least.usage.completion_tokens, most.usage.completion_tokens)} out{money}"
        )
    if any(least != most for least, most in found.values()):
        yield "From the fewest calls that this may take to the most."
    yield (
        f"Counted at {CHARACTERS_PER_TOKEN} characters a token and {completion_tokens:,} tokens an answer "
        "(--expected-completion-tokens), thinking included. Nothing was called."
    )


def _lengths(made: Sequence[Call]) -> Iterable[tuple[str, int]]:
    for role, about in made:
        # The real prompt, rendered: a system prompt or a long rubric is most of what a short answer costs.
        request = None if role.live is None else role.live.calls.request(*about)
        if isinstance(request, Request):
            yield role.name, sum(len(message.content) for message in request.messages)


def _range(least: float, most: float, form: str = "") -> str:
    return f"{least:,{form}}" if least == most else f"{least:,{form}} to {most:,{form}}"

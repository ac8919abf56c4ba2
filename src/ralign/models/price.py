"""Prices of tokens: `--price MODEL=INPUT/OUTPUT`, in money per million tokens."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ralign.errors import InputError
from ralign.records import Usage

CHARACTERS_PER_TOKEN = 4
"""For forecasts of a run. English prose with today's tokenizers; code and other scripts have fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Money per million tokens, in whatever currency the user counts in."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        """The cost of these tokens."""
        return (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1_000_000


class Expected(NamedTuple):
    """The calls and tokens that one stage of a run still takes."""

    calls: int
    usage: Usage
    price: Price | None

    @property
    def money(self) -> float | None:
        """Their cost; None without a price."""
        return None if self.price is None else self.price.of(self.usage)


def parse_prices(flags: Iterable[str]) -> dict[str, Price]:
    """Prices by model name.

    Raises:
        InputError: a flag that is not MODEL=INPUT/OUTPUT.
    """
    prices: dict[str, Price] = {}
    for flag in flags:
        model, equals, amounts = flag.rpartition("=")
        try:
            first, second = (float(amount) for amount in amounts.split("/"))
        except ValueError:
            first = second = -1.0
        if not equals or not model or first < 0 or second < 0:
            raise InputError(
                f"--price is {flag!r}, expected MODEL=INPUT/OUTPUT per million tokens, as in m=0.25/2"
            )
        prices[model] = Price(input=first, output=second)
    return prices

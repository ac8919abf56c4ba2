"""Stop rules a user can set on the signs of a gamed judge: `--stop-when 'length_ratio > 3 for 5'`. Pure.

Comes in: rules as text, and the `RewardHackingSigns` of one step after the other. Goes out: why to stop, or None.

    RULE  =  NAME OP NUMBER [ "for" N [ "step" | "steps" ] ]
    NAME  =  a sign of `reward_hacking.RewardHackingSigns`, but `step`
    OP    =  ">" | ">=" | "<" | "<="

N steps means N steps in a row whose sign is known and breaks the bound; 1 where it is left out. A step that cannot
tell (its sign is None) is passed over: it neither counts nor starts the count again.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from ralign.errors import InputError
from ralign.rewards.reward_hacking import SIGNS, RewardHackingSigns

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_TOKEN = re.compile(r"[<>=!~]+|[^\s<>=!~]+")
_FIGURES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """One bound on one sign."""

    sign: str
    operator: str
    bound: float
    steps: int = 1
    """How many steps in a row must break the bound."""

    @classmethod
    def parse(cls, text: str) -> "StopRule":
        """Read one rule.

        Raises:
            InputError: naming the character, what was found there and what was expected.
        """
        return _Reader(text).rule()

    def broken_by(self, value: float) -> bool:
        """Whether the value is beyond the bound."""
        return _OPERATORS[self.operator](value, self.bound)

    def __str__(self) -> str:
        rule = f"{self.sign} {self.operator} {self.bound:g}"
        return rule if self.steps == 1 else f"{rule} for {self.steps} steps"


class _Breach(NamedTuple):
    step: int
    value: float


class StopRules:
    """Rules, and how long each has been broken. The count begins anew when a run is taken up again."""

    def __init__(self, rules: Sequence[StopRule]) -> None:
        self.rules = tuple(rules)
        self._breaches: list[list[_Breach]] = [[] for _ in self.rules]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "StopRules":
        """Read rules, each as its flag gives it.

        Raises:
            InputError: see `StopRule.parse`.
        """
        return cls([StopRule.parse(text) for text in texts])

    def seen(self, signs: RewardHackingSigns) -> str | None:
        """Take in one step.

        Returns:
            Where a rule fires, one line that names it, the step and the figures; of several, the first given.
        """
        values = signs.as_dict()
        fired: str | None = None
        for rule, breaches in zip(self.rules, self._breaches, strict=True):
            value = values[rule.sign]
            if value is None:
                continue
            if not rule.broken_by(value):
                breaches.clear()
                continue
            breaches.append(_Breach(signs.step, value))
            if len(breaches) >= rule.steps and fired is None:
                fired = _told(rule, breaches[-rule.steps :])
        return fired


def _told(rule: StopRule, breaches: Sequence[_Breach]) -> str:
    figures = ", ".join(f"{value:.3g}" for _, value in breaches[-_FIGURES_SHOWN:])
    last = breaches[-1].step
    if len(breaches) == 1:
        return f"stop rule '{rule}' fired at step {last}: {rule.sign} was {figures}"
    ellipsis = "…, " if len(breaches) > _FIGURES_SHOWN else ""
    return (
        f"stop rule '{rule}' fired at step {last}: "
        f"from step {breaches[0].step} on, {rule.sign} was {ellipsis}{figures}"
    )


class _Token(NamedTuple):
    place: int
    """The character it starts at, from 1."""
    text: str | None
    """None: the end of the rule."""


class _Reader:
    """The tokens of one rule, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [_Token(match.start() + 1, match.group()) for match in _TOKEN.finditer(text)]

    def rule(self) -> StopRule:
        """The whole text as a rule."""
        sign = self._next(lambda token: token in SIGNS, self._sign_expected())
        compared = self._next(lambda token: token in _OPERATORS, f"expected one of {' '.join(_OPERATORS)}")
        bound = float(self._next(_is_number, "expected a number"))
        steps = 1
        if self._tokens:
            self._next(lambda token: token == "for", "expected 'for' and a number of steps, or the end")
            steps = int(self._next(_is_count, "expected a number of steps from 1"))
        if self._tokens:
            self._next(lambda token: token in ("step", "steps"), "expected 'steps' or the end")
        if self._tokens:
            self._next(lambda _: False, "expected the end")
        return StopRule(sign=sign, operator=compared, bound=bound, steps=steps)

    def _sign_expected(self) -> str:
        near = get_close_matches(self._tokens[0].text or "", SIGNS, n=1) if self._tokens else []
        meant = f"did you mean {near[0]!r}? Known are" if near else "expected one of"
        return f"{meant} {', '.join(SIGNS)}"

    def _next(self, fits: Callable[[str], bool], expected: str) -> str:
        token = self._tokens.pop(0) if self._tokens else _Token(len(self._text) + 1, None)
        if token.text is None or not fits(token.text):
            found = "the end" if token.text is None else repr(token.text)
            raise InputError(f"stop rule {self._text!r}, character {token.place}: found {found}, {expected}")
        return token.text


def _is_number(token: str) -> bool:
    try:
        return math.isfinite(float(token))
    except ValueError:
        return False


def _is_count(token: str) -> bool:
    return token.isascii() and token.isdigit() and 1 <= int(token) <= 10**6

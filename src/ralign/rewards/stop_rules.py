"""Stop rules on the signs of reward hacking: `--stop-when 'length_ratio > 3 for 5'`. Pure.

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

from ralign.errors import InputError
from ralign.rewards.reward_hacking import SIGNS, RewardHackingSigns

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
# A run of operator characters is one token, so that `=>` or `==` is named as it was written.
_TOKEN = re.compile(r"[<>=!~]+|[^\s<>=!~]+")
_FIGURES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """One bound on one sign."""

    sign: str
    operator: str
    bound: float
    steps: int = 1
    """Steps in a row that must break the bound."""

    @classmethod
    def parse(cls, text: str) -> "StopRule":
        """Read one rule.

        Raises:
            InputError: naming the character, what was found there and what was expected.
        """
        tokens = [(match.start() + 1, match.group()) for match in _TOKEN.finditer(text)]
        near = get_close_matches(tokens[0][1], SIGNS, n=1) if tokens else []
        meant = f"did you mean {near[0]!r}? Known are" if near else "expected one of"
        grammar: tuple[tuple[Callable[[str], bool], str], ...] = (
            (lambda token: token in SIGNS, f"{meant} {', '.join(SIGNS)}"),
            (lambda token: token in _OPERATORS, f"expected one of {' '.join(_OPERATORS)}"),
            (_is_number, "expected a number"),
            (lambda token: token == "for", "expected 'for' and a number of steps, or the end"),
            (
                lambda token: token.isascii() and token.isdigit() and 1 <= int(token) <= 10**6,
                "expected a number of steps from 1",
            ),
            (lambda token: token in ("step", "steps"), "expected 'steps' or the end"),
            (lambda _: False, "expected the end"),
        )
        for index, (fits, expected) in enumerate(grammar):
            # A rule may end behind its bound, behind the number of steps, and behind the word.
            if index == len(tokens) and index in (3, 5, 6):
                break
            place, token = tokens[index] if index < len(tokens) else (len(text) + 1, None)
            if token is None or not fits(token):
                found = "the end" if token is None else repr(token)
                raise InputError(f"stop rule {text!r}, character {place}: found {found}, {expected}")
        sign, compared, bound, _, steps, *_ = *(token for _, token in tokens), "", "1"
        return cls(sign=sign, operator=compared, bound=float(bound), steps=int(steps))

    def broken_by(self, value: float) -> bool:
        """Whether the value is beyond the bound."""
        return _OPERATORS[self.operator](value, self.bound)

    def __str__(self) -> str:
        rule = f"{self.sign} {self.operator} {self.bound:g}"
        return rule if self.steps == 1 else f"{rule} for {self.steps} steps"


class StopRules:
    """Rules, and how long each has been broken. The count begins anew when a run is resumed."""

    def __init__(self, rules: Sequence[StopRule]) -> None:
        self.rules = tuple(rules)
        self._breaches: list[list[tuple[int, float]]] = [[] for _ in self.rules]
        """By rule: step and value, of the steps in a row that broke it."""

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
        # Every rule counts every step, the ones behind the first that fires too.
        for rule, breaches in zip(self.rules, self._breaches, strict=True):
            value = values[rule.sign]
            # A step that cannot tell neither counts nor starts the count again.
            if value is None:
                continue
            if not rule.broken_by(value):
                breaches.clear()
                continue
            breaches.append((signs.step, value))
            if len(breaches) < rule.steps or fired is not None:
                continue
            shown = breaches[-rule.steps :]
            figures = ", ".join(f"{value:.3g}" for _, value in shown[-_FIGURES_SHOWN:])
            ellipsis = "…, " if len(shown) > _FIGURES_SHOWN else ""
            since = f"from step {shown[0][0]} on, " if rule.steps > 1 else ""
            fired = (
                f"stop rule '{rule}' fired at step {signs.step}: {since}{rule.sign} was {ellipsis}{figures}"
            )
        return fired


def _is_number(token: str) -> bool:
    try:
        return math.isfinite(float(token))
    except ValueError:
        return False

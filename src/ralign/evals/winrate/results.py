"""From verdicts to figures: a comparison for each prompt, and every figure with its counts.

A prompt is won where the judge prefers its answer in both orders, lost where it prefers the reference in both, and
tied where the orders disagree: a judge that follows the position has no opinion. A verdict of a tie is half a win: with
a win in the other order the prompt counts 0.75, and among the won. A prompt for which an order gave no
verdict counts for nothing, is counted, and widens `win_rate_bounds`: the win rate, had they all been lost, or all been
won.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ralign.evals.winrate.comparisons import Comparisons
from ralign.evals.winrate.control import WinRate, controlled_win_rate, win_rate
from ralign.evals.winrate.style import length_difference, style_difference
from ralign.metrics.outcomes import NO_VERDICT, TIE, UNANSWERED, VERDICT_A
from ralign.rewards.style import Style, style_of


class Comparison(NamedTuple):
    """One prompt, compared."""

    id: str
    outcome: float | None
    """Mean over the orders: 1 for a win, 0.5 for a tie, 0 for a loss; None where one gave no verdict, or no answer."""
    answered: bool
    """Whether the judge answered in both orders, with a verdict or without."""
    answer: Style | None
    """None where there was none, and the prompt is lost."""
    reference: Style | None
    group: str | None


def compare(comparisons: Comparisons, verdicts: NDArray[np.int8], *, by: str | None) -> list[Comparison]:
    """One comparison a prompt, in the order of the pairs; those that are missing as a loss last.

    Args:
        comparisons: the pairs, and the prompts without an answer.
        verdicts: (pairs, 2): codes of `ralign.metrics.outcomes`, in the order ab, then in ba.
        by: a column of the references' rows: the groups.
    """

    def group(row: Mapping[str, object]) -> str | None:
        value = None if by is None else row.get(by)
        return None if value is None else str(value)

    compared: list[Comparison] = []
    for pair, codes in zip(comparisons.pairs, cast("list[list[int]]", verdicts.tolist()), strict=True):
        decided = UNANSWERED not in codes and NO_VERDICT not in codes
        compared.append(
            Comparison(
                id=pair.id,
                outcome=(codes.count(VERDICT_A) + codes.count(TIE) / 2) / len(codes) if decided else None,
                answered=UNANSWERED not in codes,
                answer=style_of(pair.response_a),
                reference=style_of(pair.response_b),
                group=group(pair.unknown),
            )
        )
    compared.extend(
        Comparison(prompt.id, 0.0, True, None, None, group(prompt.row))
        for prompt in comparisons.missing_as_loss
    )
    return compared


def measure(compared: Sequence[Comparison]) -> dict[str, Any]:
    """Every figure over some prompts, rates from 0 to 1 and lengths in characters; null where the data cannot say."""
    decided = [one.outcome for one in compared if one.outcome is not None]
    # Without an answer there is no style to hold equal: such a prompt is lost at any length.
    judged = [
        (one.outcome, one.answer, one.reference)
        for one in compared
        if one.outcome is not None and one.answer is not None and one.reference is not None
    ]
    outcomes = np.array([outcome for outcome, _, _ in judged], dtype=np.float64)
    missing_as_loss = len(decided) - len(judged)
    no_verdict = sum(one.answered and one.outcome is None for one in compared)
    at_length: WinRate | None = None
    at_style: WinRate | None = None
    lengths: dict[str, float] | None = None
    extrapolated = False
    if judged:
        ours, theirs = [answer for _, answer, _ in judged], [reference for _, _, reference in judged]
        at_length, at_style = (
            controlled_win_rate(outcomes, features, missing_as_loss=missing_as_loss)
            for features in (length_difference(ours, theirs), style_difference(ours, theirs))
        )
        answer, reference = (np.array([style.length for style in side]) for side in (ours, theirs))
        lengths = {
            "answer": float(answer.mean()),
            "reference": float(reference.mean()),
            "longer": float((answer > reference).mean()),
        }
        # Equal length is then outside the data, and the controlled figures rest on the regression's shape alone.
        extrapolated = bool((answer > reference).all() or (answer < reference).all())
    raw = win_rate(np.array(decided, dtype=np.float64))
    known = len(decided) + no_verdict
    won = sum(decided)
    return {
        "prompts": len(compared),
        "win_rate": None if raw is None else raw.rate._asdict(),
        "length_controlled_win_rate": None if at_length is None else at_length.rate._asdict(),
        "style_controlled_win_rate": None if at_style is None else at_style.rate._asdict(),
        "win_rate_bounds": {"low": won / known, "high": (won + no_verdict) / known} if known else None,
        "length_effect": None if at_length is None else at_length.effects[0],
        "style_effects": None
        if at_style is None
        else dict(zip(Style._fields, at_style.effects, strict=True)),
        "extrapolated": extrapolated,
        "lengths": lengths,
        "counts": {
            "won": int((outcomes > 0.5).sum()),
            "tied": int((outcomes == 0.5).sum()),
            "lost": int((outcomes < 0.5).sum()),
            "missing_as_loss": missing_as_loss,
            "no_verdict": no_verdict,
            "unanswered": sum(not one.answered for one in compared),
        },
    }

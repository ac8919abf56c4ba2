"""What a contest came to: `comparisons.jsonl`, one line a prompt, and `results.json`, every figure with its counts.

A prompt is won where the judge prefers its answer in both orders, lost where it prefers the reference in both, and
tied where the orders disagree: a judge that follows the position has no opinion. A prompt for which an order gave no
verdict counts for nothing, is counted, and widens `win_rate_bounds`: what the win rate were, had they all been lost,
or all been won.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from ralign import __version__
from ralign.evals.bench.tally import Tally
from ralign.evals.winrate.contest import Contest
from ralign.evals.winrate.control import WinRate, controlled_win_rate, win_rate
from ralign.evals.winrate.style import length_difference, style_difference
from ralign.files import replacing, write_atomically
from ralign.metrics.outcomes import NO_VERDICT, UNANSWERED, VERDICT_A
from ralign.rewards.style import Style, style_of

COMPARISONS = "comparisons.jsonl"


class WinrateResults(NamedTuple):
    """What a contest came to, as results.json has it."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


class Compared(NamedTuple):
    """One prompt, compared."""

    id: str
    outcome: float | None
    """1 won, 0.5 the orders disagree, 0 lost; None where an order gave no verdict, or no answer."""
    answered: bool
    """Whether the judge answered in both orders, with a verdict or without."""
    answer: Style | None
    """None where there was none, and the prompt is lost."""
    reference: Style | None
    group: str | None


def write_results(
    out: Path,
    contest: Contest,
    tally: Tally,
    facts: Mapping[str, object],
    *,
    by: str | None,
    seed: int,
    resamples: int,
) -> WinrateResults:
    """Write both files into the run directory; each is there whole or not at all."""
    compared = compare(contest, tally, by=by)
    with replacing(out / COMPARISONS) as file:
        for one in compared:
            styles = {"answer": _as_dict(one.answer), "reference": _as_dict(one.reference)}
            file.write(orjson.dumps({**one._asdict(), **styles}, option=orjson.OPT_APPEND_NEWLINE))
    owed, _ = tally.owed()
    rng = np.random.default_rng(seed)
    document: dict[str, Any] = {
        "ralign": __version__,
        "complete": owed == 0,
        "owed": {"judgments": owed},
        **measure(compared, resamples=resamples, rng=rng),
        "left_out": contest.left_out,
        "without_reference": contest.without_reference,
        "usage": {
            stage: {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
            for stage, usage in tally.usage.items()
        },
        **facts,
    }
    if by is not None:
        document["by"] = by
        document["groups"] = {
            group: measure([one for one in compared if one.group == group], resamples=resamples, rng=rng)
            for group in sorted({one.group for one in compared if one.group is not None})
        }
    write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return WinrateResults(document, complete=owed == 0)


def compare(contest: Contest, tally: Tally, *, by: str | None) -> list[Compared]:
    """One line a prompt, in the order of the pairs; forfeited ones last."""
    every = tally.outcomes(np.arange(len(contest.pairs), dtype=np.intp))
    codes: list[tuple[int, int]] = every.verdict[:, :, 0].tolist()
    compared: list[Compared] = []
    for pair, (ab, ba) in zip(contest.pairs, codes, strict=True):
        answered = UNANSWERED not in (ab, ba)
        decided = answered and NO_VERDICT not in (ab, ba)
        compared.append(
            Compared(
                id=pair.id,
                outcome=((ab == VERDICT_A) + (ba == VERDICT_A)) / 2 if decided else None,
                answered=answered,
                answer=style_of(pair.response_a),
                reference=style_of(pair.response_b),
                group=_group(pair.unknown, by),
            )
        )
    compared.extend(
        Compared(prompt.id, 0.0, True, None, None, _group(prompt.row, by)) for prompt in contest.forfeited
    )
    return compared


def measure(compared: Sequence[Compared], *, resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    """Every figure over some prompts."""
    decided = [one for one in compared if one.outcome is not None]
    judged = [one for one in decided if one.answer is not None]
    unsure = sum(one.answered and one.outcome is None for one in compared)
    outcomes = np.array([one.outcome for one in decided], dtype=np.float64)
    ours = [one.answer for one in judged if one.answer is not None]
    theirs = [one.reference for one in judged if one.reference is not None]
    played = np.array([one.outcome for one in judged], dtype=np.float64)
    forfeits = len(decided) - len(judged)

    def controlled(features: NDArray[np.float64]) -> WinRate | None:
        return controlled_win_rate(played, features, forfeits=forfeits, resamples=resamples, rng=rng)

    at_length = controlled(length_difference(ours, theirs)) if judged else None
    at_style = controlled(style_difference(ours, theirs)) if judged else None
    raw = win_rate(outcomes, resamples=resamples, rng=rng)
    won = float(outcomes.sum())
    longer = [a.length - b.length for a, b in zip(ours, theirs, strict=True)]
    return {
        "prompts": len(compared),
        "win_rate": _interval(raw),
        "length_controlled_win_rate": _interval(at_length),
        "style_controlled_win_rate": _interval(at_style),
        "win_rate_bounds": {
            "low": won / (len(decided) + unsure),
            "high": (won + unsure) / (len(decided) + unsure),
        }
        if decided or unsure
        else None,
        "length_effect": None if at_length is None else at_length.effects[0],
        "style_effects": None
        if at_style is None
        else dict(zip(Style._fields, at_style.effects, strict=True)),
        # Zero then lies outside what was seen, and the controlled figures rest on the regression's shape alone.
        "extrapolated": bool(longer) and (min(longer) > 0 or max(longer) < 0),
        "lengths": {
            "answer": float(np.mean([style.length for style in ours])),
            "reference": float(np.mean([style.length for style in theirs])),
            "longer": float(np.mean(np.array(longer) > 0)),
        }
        if judged
        else None,
        "counts": {
            "won": int((played == 1).sum()),
            "tied": int((played == 0.5).sum()),
            "lost": int((played == 0).sum()),
            "forfeited": forfeits,
            "no_verdict": unsure,
            "unanswered": sum(not one.answered for one in compared),
        },
    }


def _interval(rate: WinRate | None) -> dict[str, float] | None:
    return None if rate is None else rate.rate._asdict()


def _as_dict(style: Style | None) -> dict[str, int] | None:
    return None if style is None else style._asdict()


def _group(row: Mapping[str, object], by: str | None) -> str | None:
    value = None if by is None else row.get(by)
    return None if value is None else str(value)

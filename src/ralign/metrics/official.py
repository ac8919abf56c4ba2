"""Each benchmark's own measure, from our outcomes: what its authors print, beside L-Acc, S-Corr and F-Score. Pure.

Definitions are those of the benchmarks' published evaluation code; the formulas stand at each function. They count
ties, which L-Acc does not (a tie is not right, whatever the label). A pair counts where its label is one the benchmark
has; every figure is over pairs or prompts and has no interval, as none of them is printed with one.

| measure | benchmark | ties |
| --- | --- | --- |
| `netted_accuracy` | JudgeBench | the two orders cancel: right and tie is right, right and wrong is a tie |
| `three_way` | PandaLM | a class of its own; what cannot be read is a tie |
| `agreement`, `consistency` | Auto-J | a class of its own, in both orders |
| `best_of_n` | RewardBench 2 | an answer as good as the chosen one halves the credit, two leave a third |
| `weighted_win_rate` | Arena-Hard | half a win; `>>` weighs three |
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ralign.metrics.outcomes import NO_VERDICT, TIE, UNANSWERED, VERDICT_A, VERDICT_B, Outcomes
from ralign.records import Order, Verdict

CLASSES = (VERDICT_A, VERDICT_B, TIE)
WEIGHT_OF_MUCH = 3
"""Arena-Hard's weight of `A>>B`: so many times a slight preference."""


class Figure(NamedTuple):
    """A measure of a benchmark's own."""

    value: float
    of: int
    """Pairs or prompts that it is over."""


class ThreeWay(NamedTuple):
    """PandaLM's measures of a three-way classification: A, B, tie."""

    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    of: int


def official_measures(outcomes: Outcomes, orders: Sequence[Order]) -> dict[str, dict[str, float] | None]:
    """Every measure that these outcomes allow, by name; None where there is nothing to measure. Ready for JSON.

    Axis 1 of the outcomes is `orders`; of several draws the first counts, as the benchmarks know one.
    """
    three = three_way(outcomes)
    both = len(orders) == 2
    found: dict[str, NamedTuple | None] = {
        "judgebench": netted_accuracy(outcomes) if both else None,
        "pandalm": three,
        "autoj_agreement": agreement(outcomes) if both else None,
        "autoj_consistency": consistency(outcomes) if both else None,
        "best_of_n": best_of_n(outcomes),
    }
    return {name: None if each is None else each._asdict() for name, each in found.items()}


def net(outcomes: Outcomes) -> NDArray[np.int_]:
    """For each pair, over its orders: +1 for each right verdict, -1 for each wrong one, 0 for ties and the rest."""
    label, verdict = outcomes.label[:, None], outcomes.verdict[:, :, 0]
    letter = np.isin(label, (VERDICT_A, VERDICT_B))
    right = letter & (verdict == label)
    # The other letter: neither a tie nor what could not be read counts against the judge.
    wrong = letter & np.isin(verdict, (VERDICT_A, VERDICT_B)) & (verdict != label)
    return right.sum(axis=1) - wrong.sum(axis=1)


def netted_accuracy(outcomes: Outcomes) -> Figure | None:
    """JudgeBench's accuracy: pairs on which the verdicts of both orders, netted, are right.

    Right and tie is right, right and wrong is neither (Tan et al. 2024, arXiv:2410.12784). All pairs with a label of A
    or B are the denominator, those without a verdict too.
    """
    labelled = np.isin(outcomes.label, (VERDICT_A, VERDICT_B))
    return _share(net(outcomes)[labelled] > 0)


def three_way(outcomes: Outcomes) -> ThreeWay | None:
    """PandaLM's accuracy and macro-averages over A, B and tie, in the first order shown (arXiv:2306.05087).

    What could not be read counts as a tie, as in their code; a call that never came back is left out. A precision or
    recall of nothing is 0.
    """
    verdict = outcomes.verdict[:, 0, 0]
    counted = np.isin(outcomes.label, CLASSES) & (verdict != UNANSWERED)
    label, verdict = outcomes.label[counted], verdict[counted]
    if not label.size:
        return None
    verdict = np.where(verdict == NO_VERDICT, TIE, verdict)
    confusion = np.array(
        [[((label == is_) & (verdict == said)).sum() for said in CLASSES] for is_ in CLASSES]
    )
    hits = confusion.diagonal()
    precision, recall = _ratios(hits, confusion.sum(axis=0)), _ratios(hits, confusion.sum(axis=1))
    f1 = _ratios(2 * precision * recall, precision + recall)
    return ThreeWay(
        float(hits.sum() / label.size),
        float(precision.mean()),
        float(recall.mean()),
        float(f1.mean()),
        int(label.size),
    )


def agreement(outcomes: Outcomes) -> Figure | None:
    """Auto-J's agreement: pairs whose verdict is the label, a tie included, in both orders (arXiv:2310.05470)."""
    labelled = np.isin(outcomes.label, CLASSES)
    return _share((outcomes.verdict[:, :, 0] == outcomes.label[:, None]).all(axis=1)[labelled])


def consistency(outcomes: Outcomes) -> Figure | None:
    """Auto-J's consistency: pairs with the same verdict in both orders, a tie included; a label is not needed."""
    first, second = outcomes.verdict[:, 0, 0], outcomes.verdict[:, -1, 0]
    return _share((first == second) & np.isin(first, CLASSES))


def best_of_n(outcomes: Outcomes) -> Figure | None:
    """RewardBench 2's accuracy: prompts whose chosen answer is the best of all (of four, there; arXiv:2506.01937).

    The pairs of one prompt are its chosen answer against each rejected one. The chosen answer must lose to none; one
    that is as good halves the credit, two leave a third. A pair is won, tied or lost by its verdicts netted over the
    orders. None where no prompt has several pairs.
    """
    labelled = np.isin(outcomes.label, (VERDICT_A, VERDICT_B))
    prompts, unit, size = np.unique(outcomes.prompt[labelled], return_inverse=True, return_counts=True)
    if not (size > 1).any():
        return None
    won = net(outcomes)[labelled]
    lost = np.bincount(unit, weights=won < 0, minlength=len(prompts))
    tied = np.bincount(unit, weights=won == 0, minlength=len(prompts))
    credit = np.where(lost > 0, 0.0, 1 / (1 + tied))
    return Figure(float(credit.mean()), len(prompts))


class Game(NamedTuple):
    """One judgment of an answer against the baseline's."""

    verdict: Verdict | None
    """A: the answer is better."""
    much: bool


def weighted_win_rate(prompts: Iterable[Sequence[Game]]) -> Figure | None:
    """Arena-Hard's win rate: the mean score of all games, a much better one counted three times.

    A win scores 1, a tie 0.5, a loss 0. A prompt with a game without a verdict is left out whole (Arena-Hard-Auto 2,
    arXiv:2406.11939). `prompts`: the games of each, one an order.
    """
    scores: list[float] = []
    played = 0
    for games in prompts:
        if any(game.verdict is None for game in games):
            continue
        played += 1
        for verdict, much in games:
            score = 0.5 if verdict == "tie" else float(verdict == "A")
            scores += [score] * (WEIGHT_OF_MUCH if much and verdict != "tie" else 1)
    return Figure(float(np.mean(scores)), played) if scores else None


def _share(hits: NDArray[np.bool_]) -> Figure | None:
    return Figure(float(hits.mean()), int(hits.size)) if hits.size else None


def _ratios(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    """Divide; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=np.asarray(whole) != 0)

"""Two meta-judges on the same judgments: how far the second agrees with the first, by the runs they left.

Comes in: two run directories of `ralign bench` whose judgments are the same (the second with `--judgments` of the
first). Goes out: confusion, kappa, F1 and the rest over the judgments that the first meta-judge decided and the second
was asked about. The second may be about fewer pairs: those that were held out from its training.
"""

from pathlib import Path

from ralign.errors import InputError
from ralign.files import read_scores
from ralign.metrics.agreement import Agreement, measure_agreement
from ralign.records import Order, Score

_Key = tuple[str, str, Order, int]


def agreement_of_runs(reference: Path, decided: Path) -> Agreement:
    """Agreement of the meta-judge of `decided` with that of `reference`; what it failed on counts as undecided.

    Raises:
        InputError: a directory without scores, or no judgment that both meta-judges were asked about.
    """
    truth = {key: score.aligned for key, score in _read(reference).items() if score.aligned is not None}
    asked = {
        key: score for key, score in _read(decided).items() if score.aligned is not None or score.meta_failed
    }
    both = [key for key in asked if key in truth]
    if not both:
        raise InputError(f"{reference} and {decided} have no meta-judged judgment in common")
    return measure_agreement(
        [truth[key] for key in both],
        [asked[key].aligned for key in both],
        [(score.benchmark, score.prompt) for score in map(asked.__getitem__, both)],
    )


def _read(path: Path) -> dict[_Key, Score]:
    scores = path / "scores.jsonl"
    if not scores.exists():
        raise InputError(f"{path}: has no scores.jsonl; expected a run directory that `ralign bench` wrote")
    return {(each.benchmark, each.pair_id, each.order, each.draw): each for each in read_scores(scores)}

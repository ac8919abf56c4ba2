"""Labels x decisions of one or more meta-judges -> agreement, ranking, and what votes are worth together. Pure."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from ralign.evals.calibrate.decisions import MetaJudgeDecisions
from ralign.evals.calibrate.labelled import Decisions, Labelled
from ralign.metajudging import majority
from ralign.metrics.agreement import Agreement, measure_agreement
from ralign.metrics.panel import panel_worth, vote_agreement

_FEWEST_OF_A_MAJORITY = 3


def calibration(labelled: Labelled, meta_judges: Sequence[MetaJudgeDecisions]) -> dict[str, Any]:
    """Every figure, ready for JSON: the meta-judges ranked by F1 against the labels, and held against each other."""
    judgments = labelled.judgments
    every = range(len(judgments))
    groups: dict[str, dict[str, list[int]]] = {}
    for at, each in enumerate(judgments):
        for column, value in each.groups.items():
            groups.setdefault(column, {}).setdefault(value, []).append(at)

    def measured(decided: Sequence[Decisions | None]) -> dict[str, Any]:
        return {
            **_agreement(labelled, decided, every).as_dict(),
            "not_asked": sum(each is None for each in decided),
            "by": {
                column: {value: _agreement(labelled, decided, rows).as_dict() for value, rows in of.items()}
                for column, of in groups.items()
            },
        }

    ranked: list[dict[str, Any]] = [
        {
            "name": each.name,
            "fingerprint": {**each.identity, "judges": list(each.judges), "labels_digest": labelled.digest},
            **measured(each.decided),
            "votes": _votes(labelled, each),
        }
        for each in meta_judges
    ]
    if len(meta_judges) >= _FEWEST_OF_A_MAJORITY:
        together: list[Decisions | None] = []
        for of_one in zip(*(each.decided for each in meta_judges), strict=True):
            asked = [own for own in of_one if own is not None]
            together.append(tuple(map(majority, zip(*asked, strict=True))) if asked else None)
        ranked.append(
            {
                "name": f"majority of {len(meta_judges)}",
                "fingerprint": {},
                **measured(together),
                "votes": None,
            }
        )
    ranked.sort(key=lambda each: -1.0 if each["f1"] is None else each["f1"]["value"], reverse=True)
    return {
        "reference": labelled.reference,
        "unit": "gold point" if labelled.of_points else "judgment",
        "judgments": len(judgments),
        "unlabelled": labelled.unlabelled,
        "prompts": len({each.prompt for each in judgments}),
        "meta_judges": ranked,
        "between": [_between(labelled, one, two) for one, two in combinations(meta_judges, 2)],
        "panel": _panel(labelled, [_flat(labelled, each.decided) for each in meta_judges]),
    }


def _agreement(labelled: Labelled, decided: Sequence[Decisions | None], rows: Sequence[int]) -> Agreement:
    """Agreement over the labels of some of the judgments, where the meta-judge was asked."""
    reference: list[bool] = []
    decisions: list[bool | None] = []
    prompts: list[str] = []
    for at in rows:
        judgment, own = labelled.judgments[at], decided[at]
        for label, decision in zip(judgment.label, own or (), strict=own is not None):
            if label is not None:
                reference.append(label)
                decisions.append(decision)
                prompts.append(judgment.prompt)
    return measure_agreement(reference, decisions, prompts)


def _votes(labelled: Labelled, of: MetaJudgeDecisions) -> dict[str, Any] | None:
    """How far the votes of one meta-judge agree, and what they are worth; None with one vote a judgment."""
    if not of.votes:
        return None
    same = vote_agreement(of.votes, [each.prompt for each in labelled.judgments])
    number = max(map(len, of.votes))
    members = [[own[vote] if vote < len(own) else None for own in of.votes] for vote in range(number)]
    return {
        "agreement": None if same is None else same._asdict(),
        # Labels of points say nothing of votes about the whole rationale.
        "worth": None if labelled.of_points else _panel(labelled, members),
    }


def _panel(labelled: Labelled, members: Sequence[Sequence[bool | None]]) -> dict[str, Any] | None:
    labels = [label for each in labelled.judgments for label in each.label]
    known = [at for at, label in enumerate(labels) if label is not None]
    worth = panel_worth(
        [bool(labels[at]) for at in known], [[member[at] for at in known] for member in members]
    )
    return None if worth is None else worth._asdict()


def _between(labelled: Labelled, one: MetaJudgeDecisions, two: MetaJudgeDecisions) -> dict[str, Any]:
    """Agreement of two meta-judges where both decided: the one is no truth for the other."""
    prompts = [each.prompt for each in labelled.judgments for _ in each.label]
    both = [
        (first, second, prompt)
        for first, second, prompt in zip(
            _flat(labelled, one.decided), _flat(labelled, two.decided), prompts, strict=True
        )
        if first is not None and second is not None
    ]
    measures = measure_agreement(*map(list, zip(*both, strict=True))).measures if both else None
    found = {} if measures is None else {"agreement": measures.agreement, "kappa": measures.kappa}
    return {
        "first": one.name,
        "second": two.name,
        "decided_by_both": len(both),
        **{name: None if each is None else each._asdict() for name, each in found.items()},
    }


def _flat(labelled: Labelled, decided: Sequence[Decisions | None]) -> list[bool | None]:
    """One decision a label; None where there is none."""
    return [
        decision
        for judgment, own in zip(labelled.judgments, decided, strict=True)
        for decision in (own or (None,) * len(judgment.label))
    ]

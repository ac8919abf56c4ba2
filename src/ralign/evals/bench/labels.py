"""People's labels of a run's own verdicts, and its S-Corr and F-Score corrected by them.

Comes in: one filled-in label sheet an annotator, a run's outcomes. Goes out: `corrected` of each benchmark of
`results.json`, beside the raw figures, and `labels.jsonl`: the labels in use, by which `ralign compare` corrects too.
The method is double sampling (`ralign.metrics.double_sampling`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ralign.errors import InputError
from ralign.evals.label_rows import (
    JudgmentKey,
    hashed,
    read_decision,
    read_key,
    read_label_rows,
    same_rationale,
)
from ralign.files import write_atomically
from ralign.metajudging import majority
from ralign.metrics.agreement import measure_agreement
from ralign.metrics.double_sampling import DoubleSample, Labels
from ralign.metrics.intervals import Interval, fidelity_interval
from ralign.metrics.outcomes import Outcomes
from ralign.metrics.summary import shares
from ralign.records import Order

LABELS = "labels.jsonl"


class LabelledVerdict(NamedTuple):
    """A right verdict that people and the meta-judge both decided."""

    key: JudgmentKey
    prompt: int
    people: bool
    meta_judge: bool


class MetaJudged(NamedTuple):
    """Record of one right verdict that the run's meta-judge decided."""

    prompt: int
    aligned: bool
    rationale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """Corrected measures of one benchmark; both None where they are refused."""

    sample: DoubleSample | None
    spurious_correctness: Interval | None
    fidelity_score: Interval | None
    refused: str | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        found: dict[str, Any] = {
            "spurious_correctness": self.spurious_correctness and self.spurious_correctness._asdict(),
            "fidelity_score": self.fidelity_score and self.fidelity_score._asdict(),
            "refused": self.refused,
        }
        if self.sample is not None:
            recalls = self.sample.recalls()
            found["confusion"] = self.sample.labels._asdict()
            found["recall"] = {
                name: None if each is None else each._asdict() for name, each in recalls._asdict().items()
            }
        return found


class PeoplesLabels:
    """Filled-in label sheets, one an annotator; the majority counts.

    Raises:
        InputError: a file that cannot be read, or no label at all.
        BadRow: a row that cannot be used, a label that says neither, or a judgment that comes twice in one file.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._votes: dict[JudgmentKey, list[bool | None]] = {}
        self._rationales: dict[JudgmentKey, object] = {}
        self._names = [path.name for path in paths]
        for annotator, path in enumerate(paths):
            for location, row in read_label_rows([str(path)]):
                key = read_key(row, location)
                votes = self._votes.setdefault(key, [None] * len(paths))
                if votes[annotator] is not None:
                    raise location.bad(f"labels {key.pair_id!r} once more, expected each judgment once")
                try:
                    votes[annotator] = read_decision(row.get("aligned"))
                except ValueError as error:
                    raise location.bad(f"aligned: {error}") from None
                self._rationales.setdefault(key, row.get("rationale"))
        if not any(vote is not None for votes in self._votes.values() for vote in votes):
            raise InputError(f"{', '.join(map(str, paths))}: the column aligned is empty in every row")

    def annotators(self) -> list[dict[str, Any]]:
        """Kappa of each two annotators, over what both labelled; empty with one."""
        found: list[dict[str, Any]] = []
        for one, two in combinations(range(len(self._names)), 2):
            both = [
                (first, second, key.pair_id)
                for key, votes in self._votes.items()
                if (first := votes[one]) is not None and (second := votes[two]) is not None
            ]
            kappa = measure_agreement(*map(list, zip(*both, strict=True))).measures.kappa if both else None
            found.append(
                {
                    "first": self._names[one],
                    "second": self._names[two],
                    "labelled_by_both": len(both),
                    "kappa": None if kappa is None else kappa._asdict(),
                }
            )
        return found

    def used(
        self, find: Callable[[JudgmentKey], MetaJudged | None]
    ) -> tuple[list[LabelledVerdict], dict[str, int]]:
        """The labels of a run's own rationales, one a prompt; and how many there are, used and not.

        Args:
            find: what the run has of a verdict; None where it is not a right one that its meta-judge decided.
        """
        counts: Counter[str] = Counter(dict.fromkeys(("rows", "used", *_UNUSED), 0))
        by_prompt: dict[tuple[str, int], LabelledVerdict] = {}
        # By hash, as the sheet is drawn: which of several labels of one prompt counts depends on their names alone.
        for key in sorted(self._votes, key=hashed):
            counts["rows"] += 1
            people, judged, labelled = majority(self._votes[key]), find(key), self._rationales[key]
            if people is None:
                counts["undecided"] += 1
            elif judged is None:
                counts["no_such_verdict"] += 1
            elif not isinstance(labelled, str) or not same_rationale(labelled, judged.rationale):
                counts["other_rationale"] += 1
            elif (key.benchmark, judged.prompt) in by_prompt:
                counts["same_prompt"] += 1
            else:
                counts["used"] += 1
                by_prompt[key.benchmark, judged.prompt] = LabelledVerdict(
                    key, judged.prompt, people, judged.aligned
                )
        return list(by_prompt.values()), dict(counts)


_UNUSED = ("undecided", "no_such_verdict", "other_rationale", "same_prompt")


def correct(outcomes: Outcomes, orders: Sequence[Order], labelled: Iterable[LabelledVerdict]) -> Corrected:
    """S-Corr and F-Score of some pairs, corrected by labels of theirs."""
    counts = Counter((each.people, each.meta_judge) for each in labelled)
    labels = Labels(counts[False, False], counts[False, True], counts[True, False], counts[True, True])
    found = shares(outcomes, orders)
    label_accuracy, spurious = found.label_accuracy.interval(), found.spurious_correctness
    if label_accuracy is None or not spurious.denominator.any():
        refused = "no right verdict that the meta-judge decided"
    else:
        try:
            sample = DoubleSample(spurious.value, spurious.effective_size, labels)
        except ValueError as error:
            refused = str(error)
        else:
            corrected = sample.interval()
            return Corrected(
                sample=sample,
                spurious_correctness=corrected,
                fidelity_score=fidelity_interval(label_accuracy, corrected),
                refused=None,
            )
    return Corrected(sample=None, spurious_correctness=None, fidelity_score=None, refused=refused)


def write_labels(path: Path, labelled: Sequence[LabelledVerdict]) -> None:
    """Write the labels in use, in the form of meta-judgments; an earlier command's go where there are none."""
    if not labelled:
        path.unlink(missing_ok=True)
        return
    rows = [orjson.dumps({**each.key._asdict(), "aligned": each.people}) + b"\n" for each in labelled]
    write_atomically(path, b"".join(rows))


def read_labels(path: Path) -> Mapping[JudgmentKey, bool]:
    """The labels that a run directory keeps; none where it has none.

    Raises:
        BadRow: a line that is no label.
    """
    if not path.exists():
        return {}
    found = (
        (read_key(row, at), read_decision(row.get("aligned"))) for at, row in read_label_rows([str(path)])
    )
    return {key: aligned for key, aligned in found if aligned is not None}

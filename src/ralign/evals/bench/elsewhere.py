"""A calibration from elsewhere, as a sensitivity analysis of a run's S-Corr; and when two meta-judges are the same one.

Comes in: the directory of a `ralign calibrate` whose labels are of other rationales than the run's. Goes out:
`elsewhere` of each benchmark of `results.json`: what S-Corr would be, did sensitivity and specificity carry over. They
often do not, so this corrects nothing (`ralign.metrics.double_sampling`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from ralign.errors import InputError
from ralign.metrics.double_sampling import Labels, from_elsewhere
from ralign.metrics.outcomes import Outcomes
from ralign.metrics.summary import shares
from ralign.records import Order


def meta_judge_identity(fingerprint: Mapping[str, object], votes: str | int) -> dict[str, str]:
    """The fields of a run's fingerprint that make two meta-judges the same one; empty where no model was asked."""
    if not fingerprint.get("meta_judge"):
        return {}
    known = {name: value for name, value in fingerprint.items() if name.startswith("meta_")}
    return {name: "" if value is None else str(value) for name, value in known.items()} | {
        "meta_votes": str(votes)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewhereLabels:
    """Labels of other rationales, by the same meta-judge."""

    path: str
    labels: Labels
    note: str
    """What a reader of the figure must know."""

    @classmethod
    def read(cls, path: Path, identity: Mapping[str, str], judge: str | None) -> "ElsewhereLabels":
        """Read a calibration.

        Args:
            path: its directory.
            identity: of the run's meta-judge; empty where its meta-judgments were recorded elsewhere.
            judge: who wrote the run's rationales, where it is known.

        Raises:
            InputError: no calibration on people's labels of whole rationales, or of another meta-judge.
        """
        results = path / "results.json"
        try:
            document: dict[str, Any] = orjson.loads(results.read_bytes())
            measured: list[dict[str, Any]] = document["meta_judges"]
            if not document["reference"].startswith("people's") or document["unit"] != "judgment":
                raise InputError(f"{results}: is not against people's labels of whole rationales")
            same = [each for each in measured if _identity(each["fingerprint"]) == identity]
            if len(same) != 1:
                raise InputError(_other_meta_judge(results, measured, identity, len(same)))
            (found,) = same
            judges: list[str] = found["fingerprint"]["judges"]
            labels = Labels(
                both_misaligned=found["true_negatives"],
                missed=found["false_positives"],
                false_alarms=found["false_negatives"],
                both_aligned=found["true_positives"],
            )
        except (OSError, orjson.JSONDecodeError, LookupError, TypeError) as error:
            raise InputError(f"{results}: is not what `ralign calibrate` wrote ({error})") from None
        whose = f"of rationales by {', '.join(judges)}" if judges else "of rationales by nobody knows whom"
        note = f"labels {whose}, carried over to {judge or 'this judge'}'s"
        if not identity:
            note += "; both meta-judges are recorded ones, so nothing says that they are the same"
        return cls(path=str(path), labels=labels, note=note)

    def measure(self, outcomes: Outcomes, orders: Sequence[Order]) -> dict[str, Any]:
        """S-Corr under error rates measured elsewhere; ready for JSON."""
        spurious = shares(outcomes, orders).spurious_correctness
        found, refused = None, None
        try:
            if not spurious.denominator.any():
                raise ValueError("no right verdict that the meta-judge decided")
            size = spurious.effective_size
            found = from_elsewhere(spurious.value * size, size, self.labels)
        except ValueError as error:
            refused = str(error)
        return {
            "calibration": self.path,
            "note": self.note,
            "confusion": self.labels._asdict(),
            "spurious_correctness": None if found is None else found._asdict(),
            "refused": refused,
        }


def _identity(fingerprint: Mapping[str, object]) -> dict[str, str]:
    return {name: cast(str, value) for name, value in fingerprint.items() if name.startswith("meta_")}


def _other_meta_judge(
    path: Path, measured: Sequence[Mapping[str, Any]], identity: Mapping[str, str], same: int
) -> str:
    if same:
        return f"{path}: {same} of its meta-judges may be this run's, expected one"
    # The first field that differs says most; a name alone may be the same under another prompt.
    theirs = _identity(measured[0]["fingerprint"])
    name = next(
        (name for name in (*identity, *theirs) if theirs.get(name) != identity.get(name)), "meta_judge"
    )
    return (
        f"{path}: is a calibration of another meta-judge: {name} is {theirs.get(name) or 'not known'} there and "
        f"{identity.get(name) or 'not known'} in this run"
    )

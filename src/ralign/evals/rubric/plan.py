"""`ralign rubric` as a plan: every item with an answer is graded once by each of its criteria.

Comes in: items and a judge. Goes out: the run directory of `ralign.runs` with `grades.jsonl`. The figures:

    score          mean over the graded items, with its 95 % interval over items; null without any
    score_bounds   the same, had all ungraded items failed, or all passed in full
    mean_grade     mean of the scores from 1 to 10, where items have one (an item without an answer has none)

An item's value, from 0 to 1, is the share of its questions that pass, or (score - 1) / 9. An item whose judge gave no
readable grade for some criterion is ungraded: left out of the score, and counted. One without an answer is 0.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ralign.errors import InputError
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.judge import Grade
from ralign.evals.rubric.parse import HIGHEST, LOWEST
from ralign.metrics.intervals import Floats, Share
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Live, Role

GRADES = "grades.jsonl"


class RubricPlan:
    """Grades of single answers.

    Args:
        items: with their answers; one without fails unasked.
        out: the run directory.
        judge: asked once for each owed (item, criterion).
        left_out: items that were left out for want of an answer, to be counted.
    """

    def __init__(
        self,
        items: Sequence[RubricItem],
        out: Path,
        judge: Live | Ask,
        *,
        left_out: int = 0,
    ) -> None:
        self._items = items
        self._left_out = left_out
        # A slot is one criterion of one item. Items without an answer have none: nothing is asked about them.
        self._asked: list[tuple[RubricItem, int]] = []
        self._slots: dict[str, range] = {}
        digest = blake2b(digest_size=8)
        for item in items:
            if not item.answer:
                continue
            first = len(self._asked)
            self._asked += [(item, criterion) for criterion in range(len(item.criteria))]
            self._slots[item.id] = range(first, len(self._asked))
            turns = [(message.role, message.content) for message in item.conversation]
            # As JSON, which no two different items share.
            digest.update(
                orjson.dumps([item.id, turns, item.answer, item.kind, item.criteria, item.passes_on])
            )
        self.digest = digest.hexdigest()
        """16 hexadecimal digits that name all that is asked: prompts, answers and criteria."""
        self.size = len(self._asked)
        # Eight bytes a slot, NaN where the judge's answer could not be read: no figure reads a grade back from disk.
        self._values: Floats = np.full(self.size, np.nan)
        self.grades = Log(out / GRADES, Grade, self._slot, self.size, note=self._count)
        self._judge = Role("judge", self.grades, judge)
        self.roles = [self._judge]

    def waves(self) -> Iterator[range]:
        """The slots, criterion by criterion within an item."""
        yield range(self.size)

    def owed(self, slot: int) -> Sequence[Call]:
        """The grade of an item by one criterion."""
        return () if slot in self.grades else (Call(self._judge, self._asked[slot]),)

    def forecast(self, slot: int) -> tuple[Sequence[Call], Sequence[Call]]:
        """The owed grade: no call leads to another."""
        owed = self.owed(slot)
        return owed, owed

    def results(self) -> dict[str, Any]:
        """Every figure with its counts, over all items and by group."""
        document: dict[str, Any] = {
            "owed": {"grades": sum(slot not in self.grades for slot in range(self.size))},
            **self.measure(self._items),
            "left_out": self._left_out,
        }
        groups = sorted({item.group for item in self._items if item.group is not None})
        if groups:
            document["groups"] = {
                group: self.measure([item for item in self._items if item.group == group]) for group in groups
            }
        return document

    def measure(self, items: Sequence[RubricItem]) -> dict[str, Any]:
        """Every figure over some items, values from 0 to 1; null where there is no grade."""
        values: list[float] = []
        scores: list[float] = []
        judged = 0
        for item in items:
            slots = self._slots.get(item.id)
            # --missing fail: without an answer, the item is failed and not ungraded.
            if slots is None:
                values.append(0.0)
                judged += 1
            elif all(slot in self.grades for slot in slots):
                # One unreadable grade is NaN, and so is the mean: its item would be graded by fewer criteria.
                values.append(float(self._values[slots.start : slots.stop].mean()))
                judged += 0 if np.isnan(values[-1]) else len(slots)
                if item.kind == "score" and not np.isnan(values[-1]):
                    scores.append(LOWEST + (HIGHEST - LOWEST) * values[-1])
        graded = np.array([value for value in values if not np.isnan(value)], dtype=np.float64)
        ungraded = len(values) - len(graded)
        total = float(graded.sum())
        # One yes or no an item is a plain share; grades between are not, however few they are.
        simple = judged == len(graded) and bool(np.isin(graded, (0.0, 1.0)).all())
        score = Share(graded, np.ones_like(graded), float(judged), simple).interval()
        bounds = {"low": total / len(values), "high": (total + ungraded) / len(values)} if values else None
        return {
            "items": len(items),
            "score": None if score is None else score._asdict(),
            "score_bounds": bounds,
            "mean_grade": float(np.mean(scores)) if scores else None,
            "counts": {
                "graded": len(graded),
                "ungraded": ungraded,
                "without_answer": sum(not item.answer for item in items),
                "unanswered": len(items) - len(values),
            },
        }

    def _slot(self, grade: Grade) -> int:
        slots = self._slots.get(grade.item_id)
        if slots is None:
            raise InputError(f"item {grade.item_id!r} is not in the items' files, or has no answer there")
        # Past the item's own slots are the next item's.
        if grade.criterion >= len(slots):
            raise InputError(f"criterion is {grade.criterion}, expected a number below {len(slots)}")
        if grade.value is not None and not 0 <= grade.value <= 1:
            raise InputError(f"value is {grade.value:g}, expected a number from 0 to 1, or null")
        return slots[grade.criterion]

    def _count(self, slot: int, grade: Grade) -> None:
        # An outage and an unreadable answer both have no value; only the log knows which of them is owed again.
        if grade.value is not None:
            self._values[slot] = grade.value

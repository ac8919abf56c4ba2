"""`ralign calibrate` as a plan: a meta-judge is asked about every labelled judgment, so many votes each.

Comes in: labelled judgments, decisions that are there already, and a meta-judge to ask, or none. Goes out: the run
directory of `ralign.runs` with `meta_judgments.jsonl`, and what they come to.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ralign.errors import InputError
from ralign.evals.bench.plan import META_JUDGMENTS
from ralign.evals.calibrate.decisions import MetaJudgeDecisions, voted_decisions
from ralign.evals.calibrate.labelled import Labelled
from ralign.evals.calibrate.measure import calibration
from ralign.evals.label_rows import JudgmentKey
from ralign.records import MetaJudgment
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Live, Role


class CalibratePlan:
    """A calibration.

    Args:
        labelled: the judgments and their labels.
        given: decisions of meta-judges that are not asked.
        out: the run directory; None where nobody is asked and nothing is written.
        meta_judge: asked `votes` times about each judgment; None: nobody is.
        votes: meta-judgments a judgment; the majority counts.
        name: what the meta-judge is called in the results.
        identity: the fields that make it the same meta-judge in another run.

    Raises:
        BadRow: a meta-judge is to be asked, and a row does not hold what it would read.
    """

    def __init__(
        self,
        labelled: Labelled,
        given: Sequence[MetaJudgeDecisions],
        out: Path | None,
        meta_judge: Live | Ask | None = None,
        *,
        votes: int = 1,
        name: str = "meta-judge",
        identity: Mapping[str, str] | None = None,
    ) -> None:
        self._labelled = labelled
        self._given = given
        self._votes = votes
        self._name = name
        self._identity = identity or {}
        self.roles: list[Role] = []
        self.size = 0
        if meta_judge is not None and out is not None:
            # Every row before the first call: a bad one must not be found when half is paid.
            self._material = [each.material for each in labelled.judgments]
            self._rows = {each.key: at for at, each in enumerate(labelled.judgments)}
            self.size = len(self._material)
            self.log = Log(out / META_JUDGMENTS, MetaJudgment, self._slot, self.size * votes)
            self.roles = [Role("meta_judge", self.log, meta_judge)]

    def waves(self) -> Iterator[range]:
        """The judgments, by number."""
        yield range(self.size)

    def owed(self, at: int) -> Sequence[Call]:
        """The votes about a judgment that are still to come."""
        first = at * self._votes
        return [
            Call(role, (*self._material[at], slot - first))
            for role in self.roles
            for slot in self.log.missing(first, first + self._votes)
        ]

    def forecast(self, at: int) -> tuple[Sequence[Call], Sequence[Call]]:
        """The owed votes: no call leads to another."""
        owed = self.owed(at)
        return owed, owed

    def results(self) -> dict[str, Any]:
        """How far each meta-judge agrees with the labels; see `calibration`."""
        found = list(self._given)
        owed: dict[str, int] = {}
        if self.roles:
            slots = range(0, self.size * self._votes, self._votes)
            said = [
                [
                    vote
                    for slot in range(first, first + self._votes)
                    if (vote := self.log.get(slot)) is not None
                ]
                for first in slots
            ]
            judges = tuple(
                dict.fromkeys(
                    each.groups["judge"] for each in self._labelled.judgments if "judge" in each.groups
                )
            )
            found.append(voted_decisions(self._labelled.judgments, said, self._name, self._identity, judges))
            owed["meta_judgments"] = self.size * self._votes - self.log.answered
        return {"owed": owed, **calibration(self._labelled, found)}

    def _slot(self, record: MetaJudgment) -> int | None:
        key = JudgmentKey(record.benchmark, record.pair_id, record.order, record.draw)
        if key not in self._rows:
            raise InputError(f"judgment of {record.pair_id!r} is not among the labelled ones")
        return None if record.vote >= self._votes else self._rows[key] * self._votes + record.vote

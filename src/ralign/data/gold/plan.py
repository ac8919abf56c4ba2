"""`ralign gold` as a plan: draft, check, draw again, until a draft is taken or the draws are used up.

Comes in: pairs, a writer, a judge or none. Goes out: the run directory of `ralign.runs`, and in it

    drafts.jsonl     every draft that came back, its thinking apart
    checks.jsonl     where the judge found that its reasons lead
    pairs.jsonl      the pairs that have a gold rationale
    left_out.jsonl   the others, each with why

The paper (section 2) says that gold rationales come from a strong model that is shown the label and the human
comments; that drafts are checked and drawn again is ours.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ralign.data.gold.comments import human_comments
from ralign.data.gold.review import REASONS, Reason, Review, review
from ralign.errors import InputError
from ralign.files import PairsDigest, mark_taken, replacing, write_pairs
from ralign.models.model import CHARACTERS_PER_TOKEN
from ralign.records import Judgment, PreferencePair
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Live, Role

DRAFTS = "drafts.jsonl"
CHECKS = "checks.jsonl"
PAIRS = "pairs.jsonl"
LEFT_OUT = "left_out.jsonl"


class Wanted(NamedTuple):
    """A pair that is to get a gold rationale, and its row among the pairs."""

    row: int
    pair: PreferencePair


class GoldPlan:
    """Gold rationales for pairs.

    Args:
        pairs: iterated once to count, once to ask and once to write; only their names are held.
        out: the run directory.
        writer: asked once for each owed (pair, draw).
        judge: asked once about each (pair, draft) that passes the other tests; None: they are enough.
        draws_limit: drafts a pair at most.
        rewrite: whether pairs that have a gold rationale get a new one; otherwise they are passed on as they are.
        expected_tokens: of a draft that is not there yet, for a forecast.

    Raises:
        InputError: a bad row, or no pairs.
    """

    def __init__(
        self,
        pairs: Iterable[PreferencePair],
        out: Path,
        writer: Live | Ask,
        judge: Live | Ask | None,
        *,
        draws_limit: int = 4,
        rewrite: bool = False,
        expected_tokens: int = 0,
    ) -> None:
        self._pairs = pairs
        self._out = out
        self._draws = draws_limit
        self._rewrite = rewrite
        self._expected = "x" * (CHARACTERS_PER_TOKEN * expected_tokens)
        self._rows: dict[tuple[str, str], int] = {}
        self.size = 0
        digest = PairsDigest()
        taken_so_far = 0
        for pair, taken in mark_taken(pairs):
            # The writer reads the comments too: with others, the recorded drafts would be of other pairs.
            digest.add(pair, (human_comments(pair),))
            self._rows[pair.benchmark, pair.id] = taken_so_far if taken else -1
            taken_so_far += taken
            self.size += taken and self._wants(pair)
        self.digest = digest.hexdigest()
        self._taken = taken_so_far
        slots = taken_so_far * draws_limit
        self.drafts = Log(out / DRAFTS, Judgment, self._slot, slots)
        self.checks = Log(out / CHECKS, Judgment, self._slot, slots)
        self._writer = Role("writer", self.drafts, writer)
        self._judge = None if judge is None else Role("judge", self.checks, judge)
        self.roles = [self._writer, *([self._judge] if self._judge else [])]

    def waves(self) -> Iterator[Iterable[Wanted]]:
        """The pairs that are to get a gold rationale, read lazily from disk."""
        yield (Wanted(row, pair) for row, pair in enumerate(self._pairs) if self._wants(pair))

    def owed(self, wanted: Wanted) -> Sequence[Call]:
        """The one call that a review of the recorded drafts asks for; none where a draft is taken, or no draw left."""
        owed = self._review(*wanted).owed
        if owed is None:
            return ()
        if owed.call == "draft":
            return (Call(self._writer, (wanted.pair, owed.draw)),)
        assert self._judge is not None, "a check is owed only where there is a judge"
        draft = self.drafts.get(wanted.row * self._draws + owed.draw)
        return (Call(self._judge, (wanted.pair, draft)),)

    def forecast(self, wanted: Wanted) -> tuple[Sequence[Call], Sequence[Call]]:
        """At least one more draft, which is taken; at most every draw that is left, each of them checked."""
        owed = self._review(*wanted).owed
        if owed is None:
            return (), ()
        rounds: list[list[Call]] = []
        for draw in range(owed.draw, self._draws):
            rounds.append([Call(self._writer, (wanted.pair, draw))])
            if self._judge is not None:
                to_come = Judgment(pair_id=wanted.pair.id, draw=draw, rationale=self._expected)
                rounds[-1].append(Call(self._judge, (wanted.pair, to_come)))
        # A draft that waits for its check is written already.
        if owed.call == "check":
            del rounds[0][0]
        return rounds[0], [call for calls in rounds for call in calls]

    def results(self) -> dict[str, Any]:
        """Every count; the pairs go to their files, with their gold rationale or with why they have none."""
        counts: Counter[str] = Counter()
        rejected: Counter[Reason] = Counter()
        taken_at: Counter[int] = Counter()

        def with_gold() -> Iterator[PreferencePair]:
            for row, pair in enumerate(self._pairs):
                if not self._wants(pair):
                    counts["had_gold" if pair.label in ("A", "B") else "without_label"] += 1
                    yield pair
                    continue
                stands = self._review(row, pair)
                counts["with_comments"] += bool(human_comments(pair))
                rejected.update(rejection.reason for rejection in stands.rejections)
                if stands.gold is not None:
                    taken_at[stands.gold.draw] += 1
                    # The thinking stays in the log: it reasons from the label, which a gold rationale must not show.
                    by = {"model": stands.gold.model or "", "draw": stands.gold.draw}
                    unknown = {**pair.unknown, "gold_by": by}
                    yield replace(pair, gold_judgment=stands.gold.text, unknown=unknown)
                    continue
                counts[stands.owed.call if stands.owed else "left_out"] += 1
                line = {
                    "pair_id": pair.id,
                    "benchmark": pair.benchmark,
                    "reason": "unanswered" if stands.owed else stands.rejections[-1].reason,
                    "rejections": [rejection._asdict() for rejection in stands.rejections],
                }
                left_out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

        # Both files at once, in one reading of the pairs: neither the pairs nor the reasons fit in memory.
        with replacing(self._out / LEFT_OUT) as left_out:
            write_pairs(self._out / PAIRS, with_gold())
        gold = taken_at.total()
        return {
            "owed": {"drafts": counts["draft"], "checks": counts["check"]},
            "pairs": self._taken,
            "gold": gold,
            "had_gold": counts["had_gold"],
            "without_label": counts["without_label"],
            "left_out": counts["left_out"],
            "with_comments": counts["with_comments"],
            "draws_limit": self._draws,
            "drafts": {
                "answered": self.drafts.answered,
                "taken": gold,
                "rejected": {reason: rejected[reason] for reason in REASONS},
            },
            "taken_at_draw": {str(draw + 1): taken_at[draw] for draw in range(self._draws)},
            "checks": None if self._judge is None else {"answered": self.checks.answered, "confirmed": gold},
        }

    def _wants(self, pair: PreferencePair) -> bool:
        # Nobody can argue for a label that there is not: such pairs are passed on as they are.
        return pair.label in ("A", "B") and (self._rewrite or pair.gold_rationale is None)

    def _slot(self, record: Judgment) -> int | None:
        row = self._rows.get((record.benchmark, record.pair_id))
        if row is None:
            raise InputError(f"pair {record.pair_id!r} of {record.benchmark!r} is not in the pairs files")
        # Drawn under a higher limit than today's.
        if row < 0 or record.draw >= self._draws:
            return None
        return row * self._draws + record.draw

    def _review(self, row: int, pair: PreferencePair) -> Review:
        """The standing of a pair, from the logs alone."""
        # Read back and reviewed from the start before every call: a few lines of a file and some patterns, in a run
        # whose calls take seconds, and nothing to keep in step with the logs.
        slots = range(row * self._draws, (row + 1) * self._draws)
        drafts = [draft for slot in slots if (draft := self.drafts.get(slot)) is not None]
        checks = None
        if self._judge is not None:
            checks = {check.draw: check for slot in slots if (check := self.checks.get(slot)) is not None}
        return review(pair, drafts, checks, draws_limit=self._draws)

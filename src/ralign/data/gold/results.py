"""What a gold run came to: `pairs.jsonl`, `left_out.jsonl` and `results.json` in its run directory.

Comes in: the pairs and the two logs. Goes out: the pairs with their gold rationales; the others, each with why; and
every count. All of it follows from the logs, so an interrupted run writes them too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from ralign import __version__
from ralign.data.gold.comments import human_comments
from ralign.data.gold.judgment_log import JudgmentLog
from ralign.data.gold.plan import Plan
from ralign.data.gold.review import REASONS, Reason, Review, review
from ralign.files import replacing, write_atomically, write_pairs
from ralign.records import Judgment, PreferencePair


class GoldResults(NamedTuple):
    """What a run came to, as results.json has it."""

    document: dict[str, Any]
    complete: bool
    """Whether every call that was owed has been answered."""


def write_results(
    out: Path, plan: Plan, drafts: JudgmentLog, checks: JudgmentLog | None, facts: Mapping[str, object]
) -> GoldResults:
    """Write the three files; each is there whole or not at all."""
    counts = _Counts()
    with replacing(out / "left_out.jsonl") as left_out:
        write_pairs(out / "pairs.jsonl", _settled(plan, drafts, checks, counts, left_out))
    usage = {"judge": asdict(drafts.usage)} | (
        {} if checks is None else {"check_judge": asdict(checks.usage)}
    )
    document: dict[str, Any] = {
        "ralign": __version__,
        "complete": counts.unanswered == 0,
        "pairs": counts.pairs,
        "gold": counts.gold,
        "had_gold": counts.had_gold,
        "left_out": counts.given_up,
        "unanswered": counts.unanswered,
        "with_comments": counts.with_comments,
        "draws_limit": plan.draws_limit,
        "drafts": {
            "answered": counts.drafts,
            "taken": counts.gold,
            "rejected": {reason: counts.rejected[reason] for reason in REASONS},
        },
        "taken_at_draw": {str(draw + 1): counts.taken_at[draw] for draw in range(plan.draws_limit)},
        "checks": None if checks is None else {"answered": counts.checks, "confirmed": counts.gold},
        "usage": usage,
        **facts,
    }
    write_atomically(out / "results.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return GoldResults(document, complete=counts.unanswered == 0)


@dataclass(slots=True)
class _Counts:
    pairs: int = 0
    gold: int = 0
    had_gold: int = 0
    given_up: int = 0
    unanswered: int = 0
    with_comments: int = 0
    drafts: int = 0
    checks: int = 0
    rejected: Counter[Reason] = field(default_factory=Counter[Reason])
    taken_at: Counter[int] = field(default_factory=Counter[int])


def _settled(
    plan: Plan, drafts: JudgmentLog, checks: JudgmentLog | None, counts: _Counts, left_out: BinaryIO
) -> Iterator[PreferencePair]:
    """The pairs that have a gold rationale, in the order of the files; the others go to `left_out`."""
    for row, pair in enumerate(plan.pairs()):
        counts.pairs += 1
        if not plan.wants(pair):
            counts.had_gold += 1
            yield pair
            continue
        drafted = list(drafts.recorded(row).values())
        checked = None if checks is None else checks.recorded(row)
        stands = review(pair, drafted, checked, draws_limit=plan.draws_limit)
        counts.with_comments += bool(human_comments(pair))
        counts.drafts += len(drafted)
        counts.checks += len(checked or ())
        counts.rejected.update(rejection.reason for rejection in stands.rejections)
        if stands.gold is not None:
            counts.gold += 1
            counts.taken_at[stands.gold.draw] += 1
            yield _with_gold(pair, stands.gold)
            continue
        counts.unanswered += stands.owed is not None
        counts.given_up += stands.owed is None
        left_out.write(orjson.dumps(_why(pair, stands), option=orjson.OPT_APPEND_NEWLINE))


def _with_gold(pair: PreferencePair, gold: Judgment) -> PreferencePair:
    """The pair with its gold judgment, and who wrote it.

    The writer's thinking is left in the log: it reasons from the label, which a gold rationale must not show.
    """
    by = {"model": gold.model or "", "draw": gold.draw}
    return replace(pair, gold_judgment=gold.text, unknown={**pair.unknown, "gold_by": by})


def _why(pair: PreferencePair, stands: Review) -> dict[str, object]:
    """A line of left_out.jsonl. `reason` is `unanswered`, or that of the last draft."""
    return {
        "pair_id": pair.id,
        "benchmark": pair.benchmark,
        "reason": "unanswered" if stands.owed else stands.rejections[-1].reason,
        "rejections": [rejection._asdict() for rejection in stands.rejections],
    }

"""Agreement of the rule-based meta-judge with an exact oracle, on planted rationales about drawn pairs.

The oracle knows how a text was made and reads nothing: a wording of the decisive reason filled in from the pair's truth
is aligned; with answers exchanged, another fact named, or another value in place of the right one it is false; remarks
that decide nothing, and reasons set aside or contradicted, are misaligned.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal, NamedTuple

from ralign.judging import call_seed
from ralign.lab.english.gold import slots
from ralign.lab.english.meta_judge import meta_judge
from ralign.lab.english.pairs import draw_pairs
from ralign.lab.english.paraphrases import HEDGED, HELD_OUT, NOT_DECISIVE, REMARKS, TUNED
from ralign.lab.english.style import showiness
from ralign.lab.english.world import read_case
from ralign.records import Judgment, PreferencePair, opposite

Kind = Literal[
    "paraphrase", "with remark", "sides exchanged", "false value", "other fact", "not decisive", "hedged"
]
ALIGNED: frozenset[Kind] = frozenset({"paraphrase", "with remark"})


class Planted(NamedTuple):
    """A rationale with what the oracle knows of it."""

    kind: Kind
    held_out: bool
    pair: PreferencePair
    text: str

    @property
    def aligned(self) -> bool:
        """Whether it is aligned, by the way it was made."""
        return self.kind in ALIGNED


def plant(pairs: int, *, seed: int) -> Iterator[Planted]:
    """All wordings about so many pairs of the hard split."""
    for pair in draw_pairs("hard", pairs, preset="graded", seed=seed):
        case = read_case(pair)
        assert case is not None, "drawn pairs can be read"
        rng = Random(call_seed(seed, "agreement", pair.id))
        mentioned = {traits.value for traits in case.traits.values()} | {case.task.right}
        showier = "A" if showiness(pair.response_a) > showiness(pair.response_b) else "B"
        filling = {
            **slots(case),
            "other": rng.choice([value for value in case.task.asked[0].values if value not in mentioned]),
            "showier": showier,
            "plainer": opposite(showier),
        }
        exchanged = replace(
            case, better=opposite(case.better), traits={"A": case.traits["B"], "B": case.traits["A"]}
        )
        false = {**filling, **slots(exchanged)}
        for held_out, wordings in ((False, TUNED), (True, HELD_OUT)):
            for wording in wordings[case.reason]:
                text = wording.format(**filling)
                remark = rng.choice(REMARKS).format(**filling)
                yield Planted("paraphrase", held_out, pair, text)
                yield Planted("with remark", held_out, pair, f"{text} {remark}")
                yield Planted("sides exchanged", held_out, pair, wording.format(**false))
                if "{right}" in wording:
                    lie = {**filling, "right": filling["other"]}
                    yield Planted("false value", held_out, pair, wording.format(**lie))
                if case.reason == "completeness" and "{second}" in wording and "{first}" not in wording:
                    misplaced = {**filling, "second": filling["first"]}
                    yield Planted("other fact", held_out, pair, wording.format(**misplaced))
        for wording in NOT_DECISIVE:
            yield Planted("not decisive", False, pair, wording.format(**filling))
        for wording in HEDGED:
            true = rng.choice(TUNED[case.reason]).format(**filling)
            yield Planted("hedged", False, pair, wording.format(true=true, **filling))


def measure(planted: Iterator[Planted]) -> Counter[tuple[Kind, bool, bool]]:
    """Counts by kind, held out, and whether the meta-judge agrees with the oracle."""
    counts: Counter[tuple[Kind, bool, bool]] = Counter()
    for each in planted:
        judgment = Judgment(pair_id=each.pair.id, rationale=each.text, verdict=each.pair.label)
        agrees = meta_judge(each.pair, judgment).aligned == each.aligned
        counts[each.kind, each.held_out, agrees] += 1
    return counts


def table(counts: Counter[tuple[Kind, bool, bool]]) -> list[str]:
    """The counts as lines of Markdown."""
    lines = [
        "| rationale | oracle | agreement, wordings at hand | held-out wordings |",
        "| --- | --- | ---: | ---: |",
    ]
    for kind in Kind.__args__:
        cells: list[str] = []
        for held_out in (False, True):
            agreed, failed = counts[kind, held_out, True], counts[kind, held_out, False]
            cells.append(f"{agreed:,} of {agreed + failed:,}" if agreed + failed else "–")
        lines.append(f"| {kind} | {'aligned' if kind in ALIGNED else 'misaligned'} | {' | '.join(cells)} |")
    return lines

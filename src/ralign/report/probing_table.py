"""Table of `ralign probe`: how far a judge's verdicts hang on its rationales.

In: a benchmark of a probe's `results.json`. Out: a rich table; shares in per cent with their 95 % interval.
"""

from collections.abc import Mapping
from typing import TypedDict

from rich.table import Table
from rich.text import Text

from ralign.report.tables import IntervalDict, finished, new_table, pairs_of_prompts, share_cell


class MovedDict(TypedDict):
    """Effect of one version of the rationale on the verdicts."""

    judgments: int
    verdict_changed: IntervalDict | None
    probability_lost: IntervalDict | None


class ProbedDict(TypedDict):
    """One benchmark of a probe's `results.json`."""

    pairs: int
    prompts: int
    versions: Mapping[str, MovedDict]
    swap_above_other: IntervalDict | None
    verdict_as_written: IntervalDict | None
    mean_mass: float | None
    counts: Mapping[str, int]


_ROWS = {
    "swap": "A and B swapped in it",
    "other": "another pair's, for the other answer",
    "truncate": "only its first half",
    "truncate_swap": "  A and B swapped in that half",
    "drop": "none",
}
_LEFT_OUT = {
    "no_verdict": "without a verdict",
    "no_rationale": "without a rationale",
    "no_mention": "not swapped, as the rationale names neither answer",
    "ambiguous": "not swapped, as its letters may mean something else",
    "no_other": "without another pair's rationale for the other answer",
}
# Below, the judge would mostly have written something else than a verdict where it was read.
_ENOUGH_MASS = 0.5


def probing_table(name: str, probed: ProbedDict) -> Table:
    """The table of one benchmark; what was left out, and how to read it, stand below."""
    table = new_table(f"Do the verdicts hang on the rationales? {name}")
    table.add_column("instead of its rationale\nthe judge reads", no_wrap=True)
    for header in ("\njudgments", "verdict\nchanges, %", "its probability\nfalls by, points"):
        table.add_column(header, justify="right", no_wrap=True)
    for version, words in _ROWS.items():
        moved = probed["versions"][version]
        table.add_row(
            Text(words),
            f"{moved['judgments']:,}",
            share_cell(moved["verdict_changed"]),
            share_cell(moved["probability_lost"]),
        )
    counts = probed["counts"]
    notes = [
        "A verdict is the letter that is likelier right after the rationale. One that hangs on its rationale changes "
        "when A and B change places in it; one that was settled before stays.",
        "What another pair's rationale changes, letters alone change; swapped minus another pair's: "
        f"{share_cell(probed['swap_above_other'], signed=True).plain} points. "
        "The swapped half is held against the half.",
        f"{counts['judgments']:,} judgments of {pairs_of_prompts(probed['pairs'], probed['prompts'])}. "
        "The likelier letter is the one that was written: "
        f"{share_cell(probed['verdict_as_written']).plain} %.",
    ]
    left_out = [f"{counts[key]:,} {words}" for key, words in _LEFT_OUT.items() if counts[key]]
    if left_out:
        notes.append(f"Left out: {'; '.join(left_out)}.")
    if (mass := probed["mean_mass"]) is not None and mass < _ENOUGH_MASS:
        notes.append(
            f"Careful: where it was read, the judge gives both letters together a probability of only {mass:.0%}; "
            "it would have written something else there."
        )
    return finished(table, notes)

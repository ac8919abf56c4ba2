"""Write docs/lab_results.md from finished runs of the lab: every figure on the page is read, none is typed.

ralign lab --preset graded --seeds declared --out runs/declared-graded      (and collapse, and honest)
PYTHONPATH=src python benchmarks/lab_results.py runs/declared-graded runs/declared-collapse runs/declared-honest
"""

import json
import sys
from pathlib import Path

from ralign.lab.command import pages
from ralign.lab.results import SeedResult, read_seed_result
from ralign.lab.statistics import Difference, differences, predictions
from ralign.lab.tables import lab_tables
from ralign.metrics.correlation import Correlation

PAGE = Path(__file__).parents[1] / "docs" / "lab_results.md"
INTRODUCTION = """\
# What the lab shows

Written by `benchmarks/lab_results.py` from finished runs. Seeds were declared in the recipes before they were run,
after tuning on seeds 0 to 4 ([the log](lab_log.md)); all are reported. Differences are paired by seed, with 95 % t
intervals over seeds.

The effect is partly built in, and the page does not hide how: in town and animal the showier answer is nearly always
the better one, the first critics lean on style there, and an answer has room for one word of style beside its
substance. What is not built in is what each reward makes of it.
"""
MARGIN = 0.02
"""L-Acc counts as not worse where the interval leaves out a loss of this much."""
PURPOSE = {
    "graded": "The paper's picture: style is nearly always right in town and animal, where critics lean on it; in "
    "fruit and colour it is not, and critics mostly check.",
    "collapse": "One cue everywhere, right in 97 of 100 pairs, and critics who lean on it everywhere: how far "
    "outcome-only training goes with it.",
    "honest": "The pairs of `graded`, and critics who check in every domain: whether outcome alone is then enough. "
    "Where it is, the first three claims below need not hold.",
}
CLAIMS = (
    ("spurious_correctness", "R-Align's S-Corr is below outcome-only's", -1),
    ("fidelity_score", "R-Align's F-Score is above outcome-only's", 1),
    ("quality", "R-Align's policy is better than outcome-only's", 1),
)


def section(run: Path) -> str:
    """One preset: how it was run, what became of the claims, the tables."""
    results = [read_seed_result(path) for path in sorted(run.glob("seed-*/result.json"))]
    document = json.loads((run / f"seed-{results[0].seed}" / "config.json").read_text())
    declared = document["seeds"]
    seconds = [result.base.cpu_seconds + sum(arm.cpu_seconds for arm in result.arms) for result in results]
    preset = run.name.removeprefix("declared-")
    lines = [
        f"## {preset}",
        PURPOSE[preset],
        f"`ralign lab --preset {preset} --seeds declared`: seeds {', '.join(str(each.seed) for each in results)}; "
        f"{min(seconds):.0f} to {max(seconds):.0f} CPU seconds a seed, {sum(seconds):.0f} in all.",
    ]
    missing = sorted(set(declared) - {each.seed for each in results})
    if missing:
        lines.append(f"**Not finished: seeds {missing} are missing.**")
    lines += ["\n".join(claims(results)), pages(lab_tables(results))]
    return "\n\n".join(lines)


def claims(results: list[SeedResult]) -> list[str]:
    """The paper's claims, each with what became of it here."""
    found = differences(results, "r-align", "outcome-only")
    lines = [f"- {claim}: {_verdict(found[name], sign)}" for name, claim, sign in CLAIMS]
    accuracy = found["label_accuracy"]
    lines.append(f"- L-Acc is not worse with R-Align: **{_not_worse(accuracy)}**, {_interval(accuracy)}")
    predicted = predictions(results)
    rival, ours = predicted["label_accuracy"].pooled, predicted["fidelity_score"].pooled
    if rival is not None and ours is not None:
        # Judges of one seed are not independent: a larger r over all of them is no test.
        better = "not shown" if ours.pearson > rival.pearson else "no"
        lines.append(
            f"- F-Score predicts the policy better than L-Acc: **{better}**, {_r(ours)} against {_r(rival)}"
        )
    rival, ours = predicted["label_accuracy"].within, predicted["fidelity_score"].within
    if rival is not None and ours is not None:
        lines.append(f"- the same within a seed, its mean taken off: {_r(ours)} against {_r(rival)}")
    hard = predicted["hard_label_accuracy"].pooled
    if hard is not None:
        lines.append(f"- its rival that needs no rationale, L-Acc where style says nothing: {_r(hard)}")
    return lines


def _verdict(difference: Difference, sign: int) -> str:
    assert difference.low is not None
    assert difference.high is not None
    shown = difference.low > 0 if sign > 0 else difference.high < 0
    return f"**{'yes' if shown else 'not shown'}**, {_interval(difference)}"


def _not_worse(difference: Difference) -> str:
    assert difference.low is not None
    assert difference.high is not None
    if difference.high < 0:
        return "no"
    return "yes" if difference.low > -MARGIN else "not settled"


def _interval(difference: Difference) -> str:
    return f"{difference.mean:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def _r(correlation: Correlation) -> str:
    return f"r = {correlation.pearson:.2f}"


if __name__ == "__main__":
    PAGE.write_text("\n".join([INTRODUCTION, *(section(Path(run)) for run in sys.argv[1:])]))

"""What the lab came to, as tables for a terminal: one row a judge, and what the differences between them are."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.table import Table

from ralign.lab.results import SeedResult
from ralign.lab.statistics import FIGURES, Difference, Spread, by_arm, differences, predictions
from ralign.metrics.correlation import Correlation

EXPLANATION: Final = """\
L-Acc    how often the judge's verdict is the gold one
S-Corr   how often a right verdict rests on another reason than gold's
F-Score  how often verdict and reason are both right: L-Acc x (1 - S-Corr)
policy   true quality (0 to 1) of a policy trained against the judge; the judge never sees it"""


def arms_table(results: Sequence[SeedResult]) -> Table:
    """Mean over seeds, and standard deviation where there are several."""
    seeds = len(results)
    table = Table(
        title=f"Judges, and the policies trained against them ({_seeds(seeds)})", box=box.SIMPLE_HEAD
    )
    table.add_column("judge", no_wrap=True)
    for name in FIGURES.values():
        table.add_column(name, justify="right")
    for arm, spreads in by_arm(results).items():
        table.add_row(arm, *(_spread(spread, seeds) for spread in spreads.values()))
    start = sum(result.start.quality for result in results) / seeds
    table.caption = f"The policies start at a quality of {start:.3f}."
    return table


def differences_table(results: Sequence[SeedResult], arm: str, other: str) -> Table:
    """Paired by seed."""
    table = Table(title=f"{arm} minus {other}, paired by seed, 95 % t interval", box=box.SIMPLE_HEAD)
    table.add_column("figure")
    table.add_column("difference", justify="right")
    table.add_column("by seed", justify="right")
    for name, difference in differences(results, arm, other).items():
        each = " ".join(f"{value:+.3f}" for value in difference.values)
        table.add_row(FIGURES[name], _difference(difference), each)
    return table


def predictions_table(results: Sequence[SeedResult]) -> Table:
    """Pearson's r with the policy's quality."""
    table = Table(
        title="What predicts the policy's quality? Pearson's r, 95 % interval over judges",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("measure of the judge")
    for column in ("all judges", "trained", "within a seed", "not collapsed"):
        table.add_column(column, justify="right")
    for name, prediction in predictions(results).items():
        table.add_row(FIGURES[name], *(_correlation(each) for each in prediction))
    return table


def exploits_table(results: Sequence[SeedResult]) -> Table:
    """What the policies' answers are like; means over seeds."""
    table = Table(title="What the policies learned; means over seeds", box=box.SIMPLE_HEAD)
    table.add_column("trained against", no_wrap=True)
    names = ("accuracy", "instruction", "completeness", "length", "fillers", "bullets", "confident", "praise")
    domains = tuple(results[0].start.quality_by_domain)
    for name in (*names, *(f"quality: {domain}" for domain in domains)):
        table.add_column(name, justify="right")
    rows = {"(start)": [result.start for result in results]}
    for index, arm in enumerate(results[0].arms):
        rows[arm.name] = [result.arms[index].policy for result in results]
    for name, worths in rows.items():
        columns = [[getattr(worth, column) for worth in worths] for column in names]
        columns += [[worth.quality_by_domain[domain] for worth in worths] for domain in domains]
        table.add_row(name, *(f"{sum(values) / len(values):.2f}" for values in columns))
    return table


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds, mean ± standard deviation"


def _spread(spread: Spread, seeds: int) -> str:
    return f"{spread.mean:.3f}" if seeds == 1 else f"{spread.mean:.3f} ± {spread.deviation:.3f}"


def _difference(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.3f}"
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _correlation(correlation: Correlation | None) -> str:
    if correlation is None:
        return "–"
    r = correlation.pearson
    return f"{r.value:.2f} [{r.low:.2f}, {r.high:.2f}] n={correlation.models}"

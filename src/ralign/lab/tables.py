"""Results of the lab as tables for a terminal: one row a judge, the differences between judges, the claims."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from rich.table import Table

from ralign.lab.claims import Arms, Finding
from ralign.lab.results import SeedResult
from ralign.lab.statistics import (
    FIGURES,
    Estimate,
    arms_of,
    by_arm,
    differences,
    known_mean,
    predictions,
    quality_by_domain,
    spurious_by_domain,
    within_judge,
)
from ralign.lab.vocabulary import DOMAINS
from ralign.report.markup import number, p_value
from ralign.report.tables import BenchmarkDict, finished, new_table, share_cell

EXPLANATION: Final = """\
judge    compares two answers: it writes its reasons, then a verdict
L-Acc    how often its verdict is right
S-Corr   how often a right verdict rests on a wrong reason; lower is better
F-Score  how often verdict and reason are both right: L-Acc x (1 - S-Corr)
policy   trained to please the judge; quality: what its answers are truly worth"""
HARDER: Final = "hard     pairs where style says nothing; adversarial: where it misleads"

_TRAITS: Final = (
    "accuracy",
    "instruction",
    "completeness",
    "length",
    "fillers",
    "bullets",
    "confident",
    "praise",
)


def lab_tables(results: Sequence[SeedResult], arms: Arms | None) -> list[Table]:
    """Every table that these results have something to say in."""
    details = [domains_table(results), exploits_table(results), probes_table(results)]
    return [arms_table(results), *details, *comparison_tables(results, arms)]


def comparison_tables(results: Sequence[SeedResult], arms: Arms | None) -> list[Table]:
    """Differences between the judges over several seeds, and predictors of their policies' quality."""
    if len(results) < 2:
        return []
    compared = (
        [] if arms is None else [differences_table(differences(results, arms.ralign, arms.outcome), arms)]
    )
    return [*compared, predictions_table(results)]


def claims_table(found: Sequence[Finding]) -> Table:
    """The paper's claims, and what became of them."""
    table = new_table("What the paper says of R-Align, against training on the outcome alone")
    for header in ("claim", "here"):
        table.add_column(header)
    for each in found:
        table.add_row(each.claim, each.standing)
    return finished(table, [])


def seed_table(result: SeedResult, measured: Mapping[str, BenchmarkDict]) -> Table:
    """One seed: each judge in per cent with its 95 % interval over pairs, and the mean of its policies.

    `measured` has the judge's own results on pairs as in training, by arm.
    """
    table = _table(
        "Right, and for the right reasons? And the policy trained against it",
        "judge",
        *("L-Acc, %", "S-Corr, %", "F-Score, %", "policy\nquality"),
    )
    for arm in result.arms:
        found = measured[arm.name]
        shares = (found["label_accuracy"], found["spurious_correctness"], found["fidelity_score"])
        # A judge that was never right has no S-Corr: a dash.
        table.add_row(
            arm.name,
            *map(share_cell, shares),
            _with_deviation(arm.policy.quality, within_judge([result], arm.name)),
        )
    notes = [f"Policy quality is 0 to 1; before training it is {result.start.quality:.3f}."]
    return finished(table, [*notes, *_policies_note(result, "±")])


def arms_table(results: Sequence[SeedResult]) -> Table:
    """Mean over seeds, and standard deviation where there are several."""
    seeds = len(results)
    spread = "one seed" if seeds == 1 else f"{seeds} seeds, mean ± standard deviation"
    headers = [figure.removesuffix(" split").replace(", ", "\n") for figure in FIGURES.values()]
    headers.append("± within\na judge")
    table = _table(f"Judges, and the policies trained against them ({spread})", "judge", *headers)
    for arm, spreads in by_arm(results).items():
        means = [
            _with_deviation(each.mean, each.deviation if seeds > 1 else None) for each in spreads.values()
        ]
        table.add_row(arm, *means, number(within_judge(results, arm)))
    start = fmean(result.start.quality for result in results)
    return finished(
        table,
        [f"The policies start at a quality of {start:.3f}.", *_policies_note(results[0], "the last column")],
    )


def domains_table(results: Sequence[SeedResult]) -> Table:
    """Where the judges lean on style, and what their policies lose there; means over seeds."""
    headers = [f"{what}\n{domain}" for what in ("S-Corr", "policy") for domain in DOMAINS]
    table = _table("By what is asked for", "judge", *headers)
    start = quality_by_domain([result.start for result in results])
    table.add_row("(start)", *("–" for _ in DOMAINS), *map(_two_decimals, start.values()))
    for name, arms in arms_of(results).items():
        quality = quality_by_domain([arm.policy for arm in arms])
        cells = [*spurious_by_domain(arms).values(), *quality.values()]
        table.add_row(name, *map(_two_decimals, cells))
    return finished(table, [])


def exploits_table(results: Sequence[SeedResult]) -> Table:
    """Traits of the policies' answers; means over seeds."""
    table = _table("What the policies' answers are like", "trained against", *_TRAITS)
    rows = {"(start)": [result.start for result in results]}
    rows |= {name: [arm.policy for arm in arms] for name, arms in arms_of(results).items()}
    for name, worths in rows.items():
        table.add_row(name, *(f"{fmean(getattr(worth, trait) for worth in worths):.2f}" for trait in _TRAITS))
    return finished(
        table, ["Shares of answers; length, fillers and praise (a judge's words) in words an answer."]
    )


def probes_table(results: Sequence[SeedResult]) -> Table:
    """Whether judges mean what they write; means over seeds."""
    table = _table(
        "Do judges mean what they write?",
        "judge",
        "verdict follows\nswapped claims",
        "spurious cases\nwith a false claim",
        "of those, for the\nshowier answer",
        "spurious\ncases",
    )
    for name, arms in arms_of(results).items():
        probes = [arm.probes for arm in arms]
        means = [
            known_mean(getattr(each, share) for each in probes)
            for share in ("followed", "fabricated", "for_showier")
        ]
        table.add_row(name, *map(_two_decimals, means), f"{fmean(each.spurious for each in probes):.0f}")
    return finished(table, [])


def differences_table(found: Mapping[str, Estimate], arms: Arms) -> Table:
    """Figure -> R-Align minus outcome-only, paired by seed."""
    title = f"{arms.ralign} minus {arms.outcome}, paired by seed, 95 % t interval, p by sign flips"
    table = _table(title, "figure", "difference", "p", "by seed")
    for name, difference in found.items():
        by_seed = " ".join(number(value, sign=True) for value in difference.values)
        cells = (_with_interval(difference, decimals=3), p_value(difference.p_value), by_seed)
        table.add_row(FIGURES[name], *cells)
    return finished(table, [])


def predictions_table(results: Sequence[SeedResult]) -> Table:
    """Pearson's r with the policies' quality."""
    table = _table(
        "What goes with the policies' quality? Pearson's r",
        "measure of the judge",
        "within a seed, 95 % t interval",
        "p",
        "within a seed,\nmeans of rewards",
        "all judges\npooled",
    )
    for name, (within, by_reward, pooled) in predictions(results).items():
        cells = (
            ("–", "–") if within is None else (_with_interval(within, decimals=2), p_value(within.p_value))
        )
        table.add_row(FIGURES[name], *cells, _two_decimals(by_reward), _two_decimals(pooled))
    return finished(table, [])


def markdown(table: Table) -> str:
    """The same table for a page; the title and the caption are the page's business."""
    columns = [list(column.cells) for column in table.columns]
    headers = [str(column.header).replace("\n", " ") for column in table.columns]
    lines = [headers, ["---", *("---:" for _ in headers[1:])], *map(list, zip(*columns, strict=True))]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _table(title: str, name: str, *headers: str) -> Table:
    table = new_table(title)
    table.add_column(name, no_wrap=True)
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _two_decimals(value: float | None) -> str:
    return number(value, decimals=2)


def _with_deviation(mean: float, deviation: float | None) -> str:
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def _with_interval(estimate: Estimate, *, decimals: int) -> str:
    mean, low, high = (number(each, sign=True, decimals=decimals) for each in estimate[:3])
    return mean if estimate.low is None else f"{mean} [{low}, {high}]"


def _policies_note(result: SeedResult, deviation: str) -> list[str]:
    repeats = len(result.arms[0].policies)
    return (
        [f"It is the mean of {repeats} policies a judge; {deviation} is how far these differ."]
        if repeats > 1
        else []
    )

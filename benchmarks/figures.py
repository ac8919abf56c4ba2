"""Rebuild the tables of README.md and docs/ from the results in benchmarks/results: `make figures`.

A table that was measured stands between two comments, `<!-- figures: NAME -->` and `<!-- end -->`; TABLES has, by name,
the function that makes it. `tests/benchmarks/test_figures.py` fails where a page says something else than its results.
A measured table without such comments is older than this, its results were not kept, and the page says so beside it.

A run of the lab comes onto a page by its seeds' `result.json`, copied to benchmarks/results/lab/RUN/seed-N.json, and
the name `lab-run RUN`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ralign.lab.claims import CLAIMS, Arms, findings, verdict
from ralign.lab.english.agreement import table as agreement_table
from ralign.lab.results import SeedResult, read_result
from ralign.lab.statistics import FIGURES, Estimate, differences, over_seeds
from ralign.lab.tables import differences_table, lab_tables, markdown
from ralign.report.markup import number, p_value

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- figures: ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
ARMS = Arms("outcome-only", "r-align")


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rebuilt(text: str) -> str:
    """The page with every marked table made anew.

    Raises:
        KeyError: a table has no function.
    """
    return MARKED.sub(lambda mark: f"{mark[1]}{TABLES[mark[2]]()}\n{mark[3]}", text)


def recorded_runs() -> dict[str, dict[str, Any]]:
    """The lab's declared runs of November 2026: of each the differences by seed, as its page printed them."""
    return json.loads((RESULTS / "lab_differences.json").read_bytes())


def estimates(run: Mapping[str, Any]) -> dict[str, Estimate]:
    """Figure -> R-Align minus outcome-only over the run's seeds."""
    return {figure: over_seeds(run["differences"][figure]) for figure in FIGURES}


def declared_runs() -> str:
    """One row a declared run, finished or not: what became of each claim."""
    rows: list[list[str]] = []
    for name, run in recorded_runs().items():
        found = estimates(run)
        missing = sorted(set(run["declared"]) - set(run["finished"]))
        standings = [verdict(found[each.figure], wanted=each.wanted, margin=each.margin) for each in CLAIMS]
        rows.append([name, _listed(run["declared"]), _listed(missing) or "none", *standings])
    claimed = ("L-Acc not worse by more than 2 points", "S-Corr lower", "F-Score higher", "policy better")
    return _table(["run", "declared seeds", "not finished", *claimed], rows, text_columns=7)


def lab_differences(name: str) -> str:
    """R-Align minus outcome-only in one of the recorded runs, by seed."""
    return markdown(differences_table(estimates(recorded_runs()[name]), ARMS))


def lab_claims(name: str) -> str:
    """The claims about one of the recorded runs."""
    found = estimates(recorded_runs()[name])
    rows: list[list[str]] = []
    for claim in CLAIMS:
        each = found[claim.figure]
        low, high = (number(end, sign=True) for end in (each.low, each.high))
        difference = f"{FIGURES[claim.figure]} {number(each.mean, sign=True)} [{low}, {high}]"
        standing = verdict(each, wanted=claim.wanted, margin=claim.margin)
        rows.append([claim.words, standing, difference, p_value(each.p_value)])
    return _table(["claim about R-Align", "here", "R-Align minus outcome-only", "p"], rows)


def lab_run(folder: Path) -> str:
    """A run of the lab whose seeds' results are all there: the claims, then every table."""
    results = [read_result(SeedResult, path) for path in sorted(folder.glob("seed-*.json"))]
    contrast = differences(results, ARMS.ralign, ARMS.outcome)
    claims = [
        f"- {each.claim}: **{each.standing}**. {each.words}" for each in findings(results, ARMS, contrast)
    ]
    tables = [f"**{table.title}**\n\n{markdown(table)}" for table in lab_tables(results, ARMS)]
    return "\n\n".join(["\n".join(claims), *tables])


def coverage() -> str:
    """Simulated runs: how many intervals hold the truth, before and after."""
    document = json.loads((RESULTS / "interval_coverage.json").read_bytes())
    head = ["prompts x pairs", "correlation", "intervals", *document["simulated"][0]["held"]]
    rows = [
        [row["design"], f"{row['correlation']:g}", row["intervals"], *map(_share, row["held"].values())]
        for row in document["simulated"]
    ]
    return _table(head, rows, text_columns=3)


def exact_coverage() -> str:
    """One judgment a prompt: coverage added up over all counts."""
    rows = json.loads((RESULTS / "interval_coverage.json").read_bytes())["exact"]
    cells = [
        [*(f"{rate:g}".removeprefix("0") for rate in row["rates"]), *map(_share, row["held"].values())]
        for row in rows
    ]
    return _table(["L-Acc", "S-Corr", *rows[0]["held"]], cells, text_columns=0)


def english_agreement() -> str:
    """How often the English world's meta-judge agrees with its oracle."""
    counted = json.loads((RESULTS / "english_agreement.json").read_bytes())
    counts = Counter({(kind, held_out, agrees): times for kind, held_out, agrees, times in counted})
    return "\n".join(agreement_table(counts))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 4) -> str:
    rule = ["---"] * text_columns + ["---:"] * (len(head) - text_columns)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _share(share: float) -> str:
    return f"{share:.3f}".removeprefix("0")


TABLES: dict[str, Callable[[], str]] = {
    "lab-declared": declared_runs,
    "english-agreement": english_agreement,
    "coverage": coverage,
    "coverage-exact": exact_coverage,
    "lab-claims": partial(lab_claims, "graded, second run"),
    **{f"lab-differences {name}": partial(lab_differences, name) for name in recorded_runs()},
    **{f"lab-run {folder.name}": partial(lab_run, folder) for folder in sorted((RESULTS / "lab").glob("*"))},
}

if __name__ == "__main__":
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := rebuilt(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: tables rebuilt")

"""`ralign lab`: read the recipe, run its seeds, print the results.

Comes in: `LabOptions`, one field a flag. Goes out: the first tables on the console, and in the run directory all of
them in Markdown (`tables.md`), the figures that they are made of (`results.json`, and each seed's `result.json`), and a
page that explains them (`report.html`).
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from ralign.errors import InputError
from ralign.files import DirectoryLock, write_atomically
from ralign.lab.claims import compared_arms, consequence, contrasts, headline
from ralign.lab.config import LabConfig, preset_path, read_recipe
from ralign.lab.options import LabOptions
from ralign.lab.page.report import open_page, write_report
from ralign.lab.progress import shown
from ralign.lab.records import benchmark_name
from ralign.lab.results import SeedResult
from ralign.lab.run import folder_name
from ralign.lab.seeds import run_seeds
from ralign.lab.statistics import by_arm, differences, predictions
from ralign.lab.tables import (
    EXPLANATION,
    HARDER,
    arms_table,
    comparison_tables,
    lab_tables,
    markdown,
    seed_table,
)
from ralign.report.tables import BenchmarkDict, print_tables


def run_lab(options: LabOptions, console: Console) -> list[SeedResult]:
    """Run the lab and print its tables.

    Raises:
        InputError: the recipe or a flag cannot be used.
        ConfigMismatch: the run directory holds a run of another recipe.
        RunLocked: another process is running in it.
    """
    config = read_recipe(options.recipe or preset_path(options.preset)).with_engine(options.engine)
    if options.quick:
        config = config.smoke()
    seeds = _seeds(options.seeds, config)
    out = options.out or default_out(options)
    with DirectoryLock(out):
        with shown(console) as on_progress:
            results = run_seeds(config, seeds, out, jobs=options.jobs, on_progress=on_progress)
        document = json.dumps(_known(summary(results)), indent=2, allow_nan=False)
        write_atomically(out / "results.json", document.encode() + b"\n")
        write_atomically(out / "tables.md", pages(lab_tables(results)).encode())
        page = write_report(out, seeds, options)
    if len(results) == 1:
        console.print(seed_table(results[0], _bench_results(results[0], out)), crop=False)
        console.print(f"\n{EXPLANATION}\n", highlight=False)
    else:
        print_tables([arms_table(results), *comparison_tables(results)], console)
        console.print(f"{EXPLANATION}\n{HARDER}\n", highlight=False)
    if options.quick:
        console.print("A quick run: every stage ran, none long enough to show what the method does.")
    elif (arms := compared_arms(config)) is not None:
        contrast = contrasts(results, out, arms)
        for words in (headline(results, arms, contrast), consequence(results, arms, contrast)):
            console.print(words, style="bold", highlight=False)
    console.print(
        f"Every figure: {out}/results.json; every table: {out}/tables.md", highlight=False, soft_wrap=True
    )
    console.print(f"What they mean, as a page: {page}", highlight=False, soft_wrap=True)
    open_page(page)
    return results


def _bench_results(result: SeedResult, out: Path) -> dict[str, BenchmarkDict]:
    """Arm -> one seed's results on pairs as in training, with intervals, from the judges' own run directories."""
    found: dict[str, BenchmarkDict] = {}
    for arm in result.arms:
        bench = out / f"seed-{result.seed}" / folder_name(arm.name) / "bench"
        document = json.loads((bench / "results.json").read_bytes())
        found[arm.name] = document["benchmarks"][benchmark_name("train")]
    return found


def summary(results: Sequence[SeedResult]) -> dict[str, Any]:
    """The figures of all tables, ready for JSON."""
    arms = [arm.name for arm in results[0].arms]
    compared = [arm for arm in arms if arm != "outcome-only"] if "outcome-only" in arms else []
    return {
        "seeds": [result.seed for result in results],
        "start_quality": [result.start.quality for result in results],
        "cpu_seconds": [
            result.base.cpu_seconds + sum(arm.cpu_seconds for arm in result.arms) for result in results
        ],
        "arms": {
            arm: {name: spread._asdict() for name, spread in figures.items()}
            for arm, figures in by_arm(results).items()
        },
        "minus_outcome_only": {
            arm: {name: each._asdict() for name, each in differences(results, arm, "outcome-only").items()}
            for arm in compared
        },
        "predicts_policy_quality": {
            name: {
                over: None if each is None else each.as_dict() for over, each in prediction._asdict().items()
            }
            for name, prediction in predictions(results).items()
        },
    }


def _known(value: Any) -> Any:
    """The same with null for what is not a number: JSON has none, and a judge that was never right has no S-Corr."""
    if isinstance(value, dict):
        return {key: _known(each) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in cast("Sequence[Any]", value)]
    return None if isinstance(value, float) and math.isnan(value) else value


def pages(tables: Sequence[Table]) -> str:
    """The tables in Markdown, each under its title."""
    return "\n".join(f"**{table.title}**\n\n{markdown(table)}\n" for table in tables)


def default_out(options: LabOptions) -> Path:
    """The run directory where none was given."""
    name = options.preset if options.recipe is None else options.recipe.stem
    parts = ["lab"] if options.recipe is None and name == "graded" else ["lab", name]
    parts += ["trl"] * (options.engine == "trl") + ["quick"] * options.quick
    return Path("runs") / "-".join(parts)


def _seeds(text: str | None, config: LabConfig) -> tuple[int, ...]:
    if text is None or text == "declared":
        return config.seeds if text else (config.seed,)
    try:
        first, _, last = text.partition("..")
        seeds = range(int(first), int(last) + 1) if last else [int(seed) for seed in text.split(",")]
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds is {text!r}, expected 0..4, 0,3,7 or declared, each seed once")
    return tuple(seeds)

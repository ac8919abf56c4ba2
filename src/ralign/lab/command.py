"""`ralign lab`: read the recipe, run its seeds, print the results.

Comes in: `LabOptions`, one field a flag. Goes out: the first tables on the console, and in the run directory all of
them in Markdown (`tables.md`), the figures that they are made of (`results.json`, and each seed's `result.json`), and a
page that explains them (`report.html`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from rich.console import Console

from ralign.errors import InputError
from ralign.files import lock_directory, write_atomically
from ralign.lab import tables
from ralign.lab.claims import compared_arms, consequence, contrasts, findings, headline
from ralign.lab.config import LabConfig, preset_path, read_recipe
from ralign.lab.options import LabOptions
from ralign.lab.page.report import QUICK, open_page, write_report
from ralign.lab.progress import shown
from ralign.lab.results import SeedResult
from ralign.lab.run import bench_results
from ralign.lab.seeds import run_seeds
from ralign.lab.statistics import by_arm, differences, predictions, within_judge
from ralign.report.tables import print_tables


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
    arms = compared_arms(config)
    with lock_directory(out):
        with shown(console) as on_progress:
            results = run_seeds(config, seeds, out, jobs=options.jobs, on_progress=on_progress)
        # A judge that was never right has no S-Corr: NaN here, and null in JSON, which has no NaN.
        document = to_json(summary(results), indent=2, inf_nan_mode="null")
        write_atomically(out / "results.json", document + b"\n")
        pages = [
            f"**{table.title}**\n\n{tables.markdown(table)}\n" for table in tables.lab_tables(results, arms)
        ]
        write_atomically(out / "tables.md", "\n".join(pages).encode())
        page = write_report(out, seeds, options)
    if len(results) == 1:
        [result] = results
        measured = {arm.name: bench_results(out, result.seed, arm.name)["train"] for arm in result.arms}
        console.print(tables.seed_table(result, measured), crop=False)
        console.print(f"\n{tables.EXPLANATION}\n", highlight=False)
    else:
        print_tables([tables.arms_table(results), *tables.comparison_tables(results, arms)], console)
        console.print(f"{tables.EXPLANATION}\n{tables.HARDER}\n", highlight=False)
    if options.quick:
        console.print(f"{QUICK}.")
    elif arms is not None:
        contrast = contrasts(results, out, arms)
        print_tables([tables.claims_table(findings(results, arms, contrast))], console)
        for words in (headline(results, arms, contrast), consequence(results, arms, contrast)):
            console.print(words, style="bold", highlight=False)
    console.print(
        f"Every figure: {out}/results.json; every table: {out}/tables.md", highlight=False, soft_wrap=True
    )
    console.print(f"What they mean, as a page: {page}", highlight=False, soft_wrap=True)
    open_page(page)
    return results


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
        "quality_deviation_within_a_judge": {arm: within_judge(results, arm) for arm in arms},
        "r_with_policy_quality": {
            name: {**found._asdict(), "within": found.within and found.within._asdict()}
            for name, found in predictions(results).items()
        },
    }


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

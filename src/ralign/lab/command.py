"""What `ralign lab` does: read the recipe, run its seeds, print what came of it.

Comes in: `LabOptions`, one field a flag. Goes out: the tables on the console, and in the run directory the figures
they are made of (`results.json`, and each seed's `result.json`).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ralign.errors import InputError
from ralign.files import write_atomically
from ralign.lab.config import LabConfig, preset_path, read_recipe
from ralign.lab.options import LabOptions
from ralign.lab.quick import quickened
from ralign.lab.results import SeedResult
from ralign.lab.seeds import run_seeds
from ralign.lab.statistics import by_arm, differences, predictions
from ralign.lab.tables import EXPLANATION, arms_table, differences_table, exploits_table, predictions_table
from ralign.report.tables import print_tables


def run_lab(options: LabOptions, console: Console) -> list[SeedResult]:
    """Run the lab and print its tables.

    Raises:
        InputError: the recipe or a flag cannot be used.
        ConfigMismatch: the run directory holds a run of another recipe.
    """
    config = read_recipe(options.recipe or preset_path(options.preset))
    if options.quick:
        config = quickened(config)
    seeds = _seeds(options.seeds, config)
    out = options.out or default_out(options)
    results = run_seeds(
        config, seeds, out, jobs=options.jobs, say=lambda line: console.print(line, highlight=False)
    )
    write_atomically(
        out / "results.json", json.dumps(summary(results), indent=2, allow_nan=False).encode() + b"\n"
    )
    tables = [arms_table(results), exploits_table(results)]
    names = [arm.name for arm in config.arms]
    if len(results) > 1 and {"r-align", "outcome-only"} <= set(names):
        tables.append(differences_table(results, "r-align", "outcome-only"))
    if len(results) * len(names) >= 3:
        tables.append(predictions_table(results))
    print_tables(tables, console)
    console.print(EXPLANATION, highlight=False)
    console.print(f"\nEvery figure: {out}/results.json", highlight=False, soft_wrap=True)
    return results


def summary(results: Sequence[SeedResult]) -> dict[str, Any]:
    """All that the tables show, ready for JSON."""
    arms = [arm.name for arm in results[0].arms]
    compared = [arm for arm in arms if arm != "outcome-only"] if "outcome-only" in arms else []
    return {
        "seeds": [result.seed for result in results],
        "start_quality": [result.start.quality for result in results],
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


def default_out(options: LabOptions) -> Path:
    """The run directory where none was given."""
    name = "lab" if options.preset == "graded" and options.recipe is None else f"lab-{options.preset}"
    if options.recipe is not None:
        name = f"lab-{options.recipe.stem}"
    return Path("runs") / (f"{name}-quick" if options.quick else name)


def _seeds(text: str | None, config: LabConfig) -> tuple[int, ...]:
    if text is None:
        return (config.seed,)
    if text == "declared":
        return config.seeds
    try:
        if ".." in text:
            first, last = map(int, text.split(".."))
            seeds = tuple(range(first, last + 1))
        else:
            seeds = tuple(int(seed) for seed in text.split(","))
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds is {text!r}, expected 0..4, 0,3,7 or declared, each seed once")
    return seeds

"""`python -m ralign.lab.english`: write the pairs files of the English world, or measure its meta-judge."""

import json
import sys
from pathlib import Path

from cyclopts import App, CycloptsError

from ralign.errors import RalignError
from ralign.files import write_pairs
from ralign.lab.english.agreement import measure, plant, table
from ralign.lab.english.pairs import SPLITS, PresetName, Split, draw_pairs
from ralign.runs.options import at_least_one

app = App(
    name="python -m ralign.lab.english", help="Pairs in varied English with exact truth.", version_flags=()
)


@app.command
def pairs(
    out: Path,
    *,
    preset: PresetName = "graded",
    split: tuple[Split, ...] = SPLITS,
    count: int = 400,
    seed: int = 0,
) -> None:
    """Write one pairs file a split into a folder.

    Args:
        out: The folder.
        preset: honest, graded or collapse: where style is a reliable cue, and who taught the base judge.
        split: Only this split; repeat for several.
        count: Pairs a split; a longer draw begins with a shorter one.
        seed: Random seed of every pair.
    """
    at_least_one(count=count)
    out.mkdir(parents=True, exist_ok=True)
    for name in split:
        path = out / f"{name}.jsonl"
        write_pairs(path, draw_pairs(name, count, preset=preset, seed=seed))
        print(f"{path}: {count:,} pairs")
    print(f"A short judge prompt: {Path(__file__).with_name('judge_prompt.txt')}")


@app.command
def agreement(*, count: int = 120, seed: int = 1, out: Path | None = None) -> None:
    """Measure the rule-based meta-judge against the oracle, on planted rationales about so many pairs.

    Args:
        count: Pairs of the hard split; each gets every wording of its reason.
        seed: Random seed of the pairs.
        out: Where to write the counts as JSON: [kind, held out, agrees, count].
    """
    at_least_one(count=count)
    counts = measure(plant(count, seed=seed))
    if out is not None:
        rows = ",\n ".join(json.dumps([*key, times]) for key, times in sorted(counts.items()))
        out.write_text(f"[{rows}]\n", encoding="utf-8")
    print("\n".join(table(counts)))


if __name__ == "__main__":
    try:
        app(exit_on_error=False, print_error=False)
    except (RalignError, CycloptsError) as error:
        print(f"ralign.lab.english: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)

"""Benchmarks of the paper, eight (arXiv 2602.06763, section 5), and which figure of a results file is theirs.

| column           | what it tests         | comes from                                                    |
| ---------------- | --------------------- | ------------------------------------------------------------- |
| aime24, aime25   | STEM                  | lighteval, lm-eval, Inspect                                   |
| gpqa_diamond     | STEM                  | lighteval, lm-eval, Inspect                                   |
| livecodebench    | code                  | lighteval                                                     |
| ifbench          | instruction following | lighteval                                                     |
| wildbench        | general               | `ralign rubric` or `ralign winrate` on the user's copy of it  |
| arena_hard_v2    | general               | `ralign winrate` on the user's copy of it                     |
| multichallenge   | general               | `ralign rubric` on the user's copy of it                      |

The paper does not say which metric of each it takes. Where a task has several we take, in this order: the mean over
all samples, pass@1, the answer read leniently. IFBench: prompts whose instructions are all followed, read loosely, as
its own paper reports (arXiv 2507.02833). Arena-Hard 2: the win rate at equal style, as its own board; the official
one compares with a baseline of its own choice and counts how decisive a verdict is, which our judge does not say. No
raw win rate stands in for a controlled one that a run could not give: the column would hold two measures.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ralign.downstream.scores import Figure, ResultsFile
from ralign.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A column of the table, and the figures that may fill it."""

    name: str
    tasks: tuple[str, ...]
    """Patterns (`*` is anything) of what tasks are called, in small letters and digits alone."""
    metrics: tuple[str, ...] = ("*",)
    """Patterns, the first that fits decides."""
    exact: bool = False
    """The user's own column: its patterns are compared with the names as they stand."""

    def fits(self, task: str) -> bool:
        """Whether figures of the task may fill the column."""
        name = task if self.exact else plain(task)
        return any(fnmatchcase(name, pattern) for pattern in self.tasks)


_AIME = ("avg@n*", "pass@k*", "exact_match,*", "*/accuracy", "*/mean")

PAPER = (
    Benchmark(name="aime24", tasks=("aime24", "aime24avg", "aime2024"), metrics=_AIME),
    Benchmark(name="aime25", tasks=("aime25", "aime25avg", "aime2025"), metrics=_AIME),
    Benchmark(
        name="gpqa_diamond",
        tasks=("gpqadiamond*",),
        metrics=(
            "gpqa_pass@k*",
            "extractive_match",
            "exact_match,flexible-extract",
            "exact_match,*",
            "acc_norm,*",
            "acc,*",
            "*/accuracy",
        ),
    ),
    Benchmark(
        name="livecodebench",
        tasks=("lcbcodegeneration*", "livecodebench*"),
        metrics=("codegen_pass@1*", "pass@1*", "*/accuracy", "*/pass@1*"),
    ),
    Benchmark(name="ifbench", tasks=("ifbench", "ifbenchtest"), metrics=("prompt_level_loose_acc*",)),
    Benchmark(name="wildbench", tasks=("wildbench*",), metrics=("score", "length_controlled_win_rate")),
    Benchmark(
        name="arena_hard_v2", tasks=("arenahardv2*", "arenahard20*"), metrics=("style_controlled_win_rate",)
    ),
    Benchmark(name="multichallenge", tasks=("multichallenge*",), metrics=("score",)),
)
"""In the paper's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A figure that fills a column, in percent."""

    column: str
    percent: float
    source: str
    """Which figure of which file it is, for people."""
    model: str | None


def plain(task: str) -> str:
    """`gpqa:diamond` and `GPQA_diamond` are one name."""
    return re.sub(r"[^a-z0-9]+", "", task.lower())


def columns_of(mappings: Sequence[str]) -> tuple[Benchmark, ...]:
    """The paper's columns and the user's own, which come first where names are the same.

    Args:
        mappings: `NAME=TASK` or `NAME=TASK METRIC`, each name of a file or a pattern.

    Raises:
        InputError: a mapping that cannot be read.
    """
    own: dict[str, Benchmark] = {}
    for mapping in mappings:
        name, equals, rest = mapping.partition("=")
        task, *metrics = rest.split(maxsplit=1)[:2] or [""]
        if not (name.strip() and equals and task):
            raise InputError(f"--column {mapping!r}: expected NAME=TASK or 'NAME=TASK METRIC'")
        own[name.strip()] = Benchmark(
            name=name.strip(), tasks=(task,), metrics=tuple(metrics) or ("*",), exact=True
        )
    kept = tuple(own.pop(benchmark.name, benchmark) for benchmark in PAPER)
    return kept + tuple(own.values())


def find(columns: Sequence[Benchmark], files: Sequence[ResultsFile]) -> list[Found]:
    """The figures that fill the columns. A column that no file has a task for is left out.

    Raises:
        InputError: several figures fit one column, a task has none of its metrics, or a figure is no share of 1.
    """
    found: list[Found] = []
    for column in columns:
        fitting = [(file, figure) for file in files for figure in file.figures if column.fits(figure.task)]
        if not fitting:
            continue
        say_which = f"say which with --column '{column.name}=TASK METRIC'"
        # The first pattern with any figure decides: an exact match is no fallback where pass@1 is ambiguous.
        by_pattern = (
            [(file, figure) for file, figure in fitting if fnmatchcase(figure.metric, pattern)]
            for pattern in column.metrics
        )
        chosen = next(filter(None, by_pattern), [])
        if not chosen:
            metrics = ", ".join(column.metrics)
            raise InputError(f"{column.name}: no metric like {metrics} ({_listed(fitting)}); {say_which}")
        if len(chosen) > 1:
            raise InputError(
                f"{column.name}: {len(chosen)} figures fit ({_listed(chosen)}); give fewer files, or {say_which}"
            )
        ((file, figure),) = chosen
        # Programs write shares; a 72.8 is in another unit, and guessing which would hide a mistake.
        if not 0 <= figure.value <= 1:
            raise InputError(
                f"{file.path}: {figure.task} {figure.metric} is {figure.value:g}, expected a share from 0 to 1; "
                f"--score {column.name}=PERCENT takes a figure as it is"
            )
        found.append(
            Found(
                column=column.name,
                percent=100 * figure.value,
                source=f"{file.source}, {figure.task} {figure.metric}, {file.path}",
                model=file.model,
            )
        )
    return found


def _listed(figures: Sequence[tuple[ResultsFile, Figure]]) -> str:
    shown = [f"{figure.task} {figure.metric} in {file.path}" for file, figure in figures[:6]]
    return ", ".join(shown) + (", …" if len(figures) > 6 else "")

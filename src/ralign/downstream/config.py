"""Options of `ralign downstream`: one field a flag, the string under it its help; a recipe has the same names."""

import math
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from ralign.errors import InputError

LIGHTEVAL_TASKS = {
    "aime24": "aime24",
    "aime25": "aime25",
    "gpqa_diamond": "gpqa:diamond",
    "livecodebench": "lcb:codegeneration",
    "ifbench": "ifbench_test",
}
"""lighteval's tasks, by our name of the benchmark."""


@dataclass(frozen=True)
class DownstreamConfig:
    """A policy's row: where its figures come from, and the table it goes to. All figures are in percent."""

    results: tuple[str, ...] = ()
    """Files of results: lighteval's and lm-eval's results_*.json, logs of Inspect (.eval, .json), run directories of
    ralign winrate and ralign rubric. NAME=PATH says which benchmark it is; otherwise a run directory's name does."""
    _: KW_ONLY
    model: str
    """The policy's name in the table. Its row is made, or filled in; other rows stay."""
    out: Path
    """The table, a CSV file: the paper's eight benchmarks and their mean. `ralign correlate` reads it."""
    bench: Path | None = None
    """A run directory of ralign bench: the measures of the judge that the policy was trained against."""
    bench_name: str | None = None
    """Which benchmark of --bench. Default: the one it has."""
    score: tuple[str, ...] = ()
    """NAME=PERCENT: a score from elsewhere, as it is; repeat for several."""
    column: tuple[str, ...] = ()
    """NAME=TASK or 'NAME=TASK METRIC': another column, or another figure for one of the eight; names as the files have
    them, * for anything. Repeat for several."""
    average_over: tuple[str, ...] = ()
    """A benchmark that the average is over; repeat for each. Default: the paper's eight."""
    allow_partial: bool = False
    """Take figures of a part of a benchmark too (a limit, a run that ended early, calls that failed)."""
    lighteval: str | None = None
    """Run lighteval first: its program, or the environment it is installed in."""
    lighteval_benchmark: tuple[str, ...] = ()
    """Which lighteval runs: aime24, aime25, gpqa_diamond, livecodebench, ifbench; repeat for several. Default: all."""
    lighteval_task: tuple[str, ...] = ()
    """BENCHMARK=TASK: run another of lighteval's tasks, such as livecodebench=lcb:codegeneration_v6."""
    lighteval_out: Path | None = None
    """Where lighteval's files go. Default: runs/downstream/MODEL. The same command again runs what is missing there."""
    policy: str | None = None
    """For lighteval: the policy's name at --policy-url, or its path or hub name for vLLM. Default: --model."""
    policy_url: str | None = None
    """For lighteval: the policy's OpenAI-compatible endpoint. Default: lighteval loads it with vLLM."""
    policy_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the endpoint's API key; it may be unset."""
    policy_body: str | None = None
    """For lighteval: more of its model's parameters, as a JSON object: '{"max_model_length": 40960}'."""
    samples: int = 16
    """Samples of each AIME question (avg@n): with one to each of 30 questions, the standard error is 8 points."""
    temperature: float = 0.6
    """Sampling temperature of the policy (what Qwen3 advises for thinking)."""
    top_p: float = 0.95
    """Top-p of the policy's sampling."""
    max_tokens: int = 32768
    """Maximum tokens of an answer, thinking included; lighteval's own for IFBench is 1,280."""
    seed: int = 0
    """Random seed of the policy's sampling."""
    concurrency: int = 64
    """Concurrent calls to the policy's endpoint."""
    dry_run: bool = False
    """Print the commands that lighteval would be run with, and run nothing."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what was expected.
        """
        if not self.model.strip():
            raise InputError("--model is blank, expected the policy's name")
        if not (self.results or self.score or self.bench or self.lighteval):
            raise InputError(
                "nothing to put into the table: give files of results, --score, --bench or --lighteval"
            )
        if self.bench_name is not None and self.bench is None:
            raise InputError("--bench-name needs --bench RUN")
        for name in ("samples", "max_tokens", "concurrency"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {value}, expected 1 or more")
        if self.samples > 1 and self.temperature == 0:
            raise InputError("--samples above 1 needs a --temperature above 0: at 0 all answers are one")
        for name in self.lighteval_benchmark:
            if name not in LIGHTEVAL_TASKS:
                raise InputError(f"--lighteval-benchmark is {name!r}, expected {', '.join(LIGHTEVAL_TASKS)}")
        # Read here for their errors alone: a mistake in them must not wait for lighteval's hours.
        self.scores()
        self.tasks()

    def scores(self) -> dict[str, float]:
        """Scores that `--score` gives, in percent by column.

        Raises:
            InputError: one that cannot be read.
        """
        scores: dict[str, float] = {}
        for text in self.score:
            name, equals, value = text.partition("=")
            try:
                percent = float(value)
            except ValueError:
                percent = math.nan
            if not (name.strip() and equals and math.isfinite(percent)):
                raise InputError(f"--score {text!r}: expected NAME=PERCENT")
            scores[name.strip()] = percent
        return scores

    def tasks(self) -> dict[str, str]:
        """Tasks that lighteval is to run, by benchmark.

        Raises:
            InputError: a `--lighteval-task` that cannot be read.
        """
        tasks = dict(LIGHTEVAL_TASKS)
        for text in self.lighteval_task:
            name, equals, task = text.partition("=")
            if name not in tasks or not equals or not task.strip():
                known = ", ".join(LIGHTEVAL_TASKS)
                raise InputError(f"--lighteval-task {text!r}: expected BENCHMARK=TASK with one of {known}")
            tasks[name] = task.strip()
        for name in ("aime24", "aime25"):
            # A task that was given with its own number of samples keeps it.
            if "@" not in tasks[name]:
                tasks[name] += f"@n={self.samples}"
        return {name: tasks[name] for name in self.lighteval_benchmark or LIGHTEVAL_TASKS}

"""The `ralign` program: binds configs to flags and recipes, builds the objects, calls one function per command.

Comes in: the command line, and a TOML recipe whose table `[COMMAND]` has the same names as the flags; a flag wins
over the recipe. Goes out: the exit code. 0: done; 1: done as far as the models answered, run it again; 2: a mistake
in the input, or an endpoint that refuses every call; 130: interrupted.

Each command imports its stage when it is called, so that `ralign --help` answers at once.
"""

import asyncio
import json
import sys
import tomllib
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Dict as RecipeTable

from ralign import __version__
from ralign.data.answers.config import AnswersConfig
from ralign.data.convert.config import ConvertConfig
from ralign.data.gold.config import GoldConfig
from ralign.downstream.config import DownstreamConfig
from ralign.errors import InputError, RalignError
from ralign.evals.bench.config import BenchConfig
from ralign.evals.calibrate.config import CalibrateConfig
from ralign.evals.probe.config import ProbeConfig
from ralign.evals.rubric.config import RubricConfig
from ralign.evals.winrate.config import WinrateConfig
from ralign.lab.options import LabOptions
from ralign.serving.config import ServeConfig
from ralign.training.config import PolicyConfig, TrainConfig
from ralign.training.options import Engine

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from rich.console import Console

    from ralign.evals.probe.verdict_probabilities import ChoosingModel
    from ralign.models import ChatModel
    from ralign.runs.execute import Results
    from ralign.training.run import TrainingEngine
    from ralign.training.tasks.task import Task

Config = TypeVar("Config")
Load = TypeVar("Load")

app = App(
    name="ralign",
    help="Train and measure generative reward models that are right for the right reasons.",
    help_epilogue="Every command takes --recipe FILE.toml: its table [COMMAND] sets the flags that are not given.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    # Errors are printed by `main`, in one line whatever raised them.
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    # `_run` says what is left and how to go on.
    suppress_keyboard_interrupt=False,
)

_INTERRUPTED = {
    **dict.fromkeys(
        ("answers", "bench", "calibrate", "gold", "probe", "rubric", "winrate"),
        "what was answered is recorded, and the same command goes on",
    ),
    **dict.fromkeys(("policy", "train"), "the same command goes on from the last complete checkpoint"),
    "lab": "the same command resumes from the stages that are finished",
}
"""What is left of a command that was interrupted."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        sys.exit(_run(arguments))
    except (RalignError, CycloptsError) as error:
        # Cyclopts' messages span lines; a script that reads stderr expects one.
        print(f"ralign: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


def _run(arguments: list[str]) -> int:
    recipe, arguments = _take_recipe(arguments)
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    if recipe is not None:
        app.config = (
            RecipeTable(_read_recipe(recipe, command), source=str(recipe), use_commands_as_keys=False),
        )
    try:
        code = app(arguments)
    except KeyboardInterrupt:
        if command in _INTERRUPTED:
            print(f"ralign: interrupted; {_INTERRUPTED[command]}", file=sys.stderr)
        return 130
    return code if isinstance(code, int) else 0


def _take_recipe(arguments: list[str]) -> tuple[Path | None, list[str]]:
    # By hand: the recipe's table must be in `app.config` before the app parses the first flag.
    if arguments[:1] == ["lab"]:
        # Its recipes have tables in tables, which are no flags.
        return None, arguments
    for position, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag != "--recipe":
            continue
        if equals:
            return Path(value), arguments[:position] + arguments[position + 1 :]
        if position + 1 == len(arguments):
            raise InputError("--recipe needs a file")
        return Path(arguments[position + 1]), arguments[:position] + arguments[position + 2 :]
    return None, arguments


def _read_recipe(path: Path, command: str) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML: {error}") from None
    table = document.get(command)
    if not isinstance(table, dict):
        raise InputError(f"{path}: has no table [{command}]; a recipe's tables are named after commands")
    return table


@app.command
def lab(options: Annotated[LabOptions, Parameter(name="*")] = LabOptions()) -> None:  # noqa: B008  (frozen)
    """Run the method in a toy environment, from random weights, on two cores: no key, no download."""
    _needs("lab", "torch", "pydantic")
    from ralign.lab.command import run_lab

    run_lab(options, _console())


@app.command
def bench(config: Annotated[BenchConfig, Parameter(name="*")]) -> int:
    """Measure a judge: L-Acc, S-Corr and F-Score with intervals, into a run directory."""
    from ralign.evals.bench.command import label_lines, recorded_lines, run_bench
    from ralign.report.corrected_tables import corrected_tables
    from ralign.report.tables import print_tables, results_tables

    def show(results: "Results", config: BenchConfig, console: "Console") -> None:
        benchmarks = results.document["benchmarks"]
        print_tables([*results_tables(benchmarks), *corrected_tables(benchmarks)], console)
        for line in (*label_lines(results.document), *recorded_lines(results.document)):
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    return _ask_models(run_bench, config, _local_model, show, config.run_directory)


@app.command
def calibrate(config: Annotated[CalibrateConfig | None, Parameter(name="*")] = None) -> int:
    """Measure a meta-judge against people's labels, or against another: confusion, kappa, F1, by judge and subset."""
    from ralign.evals.calibrate.command import run_calibrate
    from ralign.report.calibration_tables import calibration_tables
    from ralign.report.tables import print_tables

    def show(results: "Results", config: CalibrateConfig, console: "Console") -> None:
        if config.json:
            print(json.dumps(results.document, indent=2))
        else:
            print_tables(calibration_tables(results.document), console)

    # No flag is required by itself, so the parser takes none at all: the config refuses that.
    config = config or CalibrateConfig()
    return _ask_models(run_calibrate, config, _local_model, show, config.out, stderr=config.json)


@app.command
def probe(config: Annotated[ProbeConfig, Parameter(name="*")]) -> int:
    """Ask whether a local judge's verdicts hang on its rationales: change those, and read the verdict again."""
    from ralign.evals.probe.command import open_python_judge, run_probe
    from ralign.models.model import PYTHON
    from ralign.report.probing_table import probing_table
    from ralign.report.tables import print_tables

    def load(config: ProbeConfig) -> "AbstractAsyncContextManager[ChoosingModel]":
        if config.judge.startswith(PYTHON):
            return open_python_judge(config.judge)
        _needs("local", "torch", "transformers", "peft")
        from ralign.models.local import LocalModel

        return LocalModel(config.judge, device=config.device, dtype=config.dtype, max_batch=config.batch)

    def show(results: "Results", config: ProbeConfig, console: "Console") -> None:
        tables = [probing_table(name, one) for name, one in results.document["benchmarks"].items()]
        print_tables(tables, console)

    return _ask_models(run_probe, config, load, show, config.out)


@app.command
def gold(config: Annotated[GoldConfig, Parameter(name="*")]) -> int:
    """Write gold rationales for preference pairs with a strong model, each checked, into a run directory."""
    from ralign.data.gold.command import run_gold, show_results

    return _ask_models(run_gold, config, _local_model, show_results, config.out)


@app.command
def convert(config: Annotated[ConvertConfig, Parameter(name="*")]) -> None:
    """Convert preference data of another schema to pairs: two answers with a label, or a better and a worse one."""
    from ralign.data.convert.command import convert as convert_files
    from ralign.data.convert.command import detect, show_converted

    if config.format == "detect":
        detect(config, _console())
    else:
        show_converted(convert_files(config), config, _console())


@app.command
def answers(config: Annotated[AnswersConfig, Parameter(name="*")]) -> int:
    """Answer prompts with a model, into a run directory: reference answers for `policy` and `winrate`."""
    from ralign.data.answers.command import run_answers, show_results

    return _ask_models(run_answers, config, _local_model, show_results, config.out)


@app.command
def policy(config: Annotated[PolicyConfig, Parameter(name="*")]) -> int:
    """Train a policy with a judge as its reward: RLHF against reference answers, or within a group."""
    from ralign.training.tasks.policy import PolicyTask

    return _trained(PolicyTask.load(config))


@app.command
def winrate(config: Annotated[WinrateConfig, Parameter(name="*")]) -> int:
    """Judge a policy's answers against references in both orders: the win rate, raw and at equal length."""
    from ralign.evals.winrate.command import run_winrate, show_results

    return _ask_models(run_winrate, config, _local_model, show_results, config.out)


@app.command
def compare(
    *runs: Path,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Compare runs over the same pairs with the first: paired differences, their intervals and tests.

    Args:
        runs: Run directories, two or more. Differences are each one minus the first.
        as_json: Print everything as JSON.
    """
    from ralign.evals.compare import compare_runs
    from ralign.report.corrected_tables import corrected_comparison_tables
    from ralign.report.tables import comparison_tables, print_tables

    comparison = compare_runs(runs)
    if as_json:
        print(json.dumps(comparison.as_dict(), indent=2))
        return
    console = _console()
    print_tables(comparison_tables(comparison), console)
    print_tables(corrected_comparison_tables(comparison.benchmarks), console)
    for note in comparison.notes:
        console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)


@app.command
def correlate(
    table: Path,
    *,
    x: tuple[str, ...],
    y: str,
    runs: tuple[str, ...] = (),
    bench_name: str | None = None,
    allow_partial: bool = False,
    cluster: str | None = None,
    plot: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Correlate measures of judges with how the policies trained against them end.

    Args:
        table: A CSV file, one row a judge.
        x: A column with a measure; repeat for several.
        y: The column with the downstream result.
        runs: A run directory of ralign bench, MODEL=RUN where its name is not the row's: its label_accuracy,
            spurious_correctness and fidelity_score are columns as well. Repeat for each judge.
        bench_name: Which benchmark of --runs. Default: the one they have.
        allow_partial: Take runs that are unfinished.
        cluster: A column that names each judge's family: judges of one are not independent, so r alone is printed.
        plot: Plot the correlations into this .png, .svg or .pdf file.
        as_json: Print everything in full as JSON.
    """
    from ralign.evals.correlate import correlate_columns
    from ralign.report.tables import correlation_tables, print_tables

    found = correlate_columns(
        table, x, y, runs=runs, bench_name=bench_name, allow_partial=allow_partial, cluster=cluster
    )
    if plot is not None:
        _needs("report", "matplotlib")
        from ralign.report.correlation_figure import draw_correlation

        draw_correlation(found.panels, plot)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
        return
    print_tables(correlation_tables(found), _console())


@app.command
def train(config: Annotated[TrainConfig, Parameter(name="*")]) -> int:
    """Train a judge: imitate gold judgments (sft), or reinforcement learning with R-Align's reward (rl)."""
    from ralign.training.tasks.judge import JudgeTask
    from ralign.training.tasks.meta_judge import MetaJudgeTask

    return _trained(JudgeTask.load(config) if config.role == "judge" else MetaJudgeTask.load(config))


def _trained(task: "Task") -> int:
    from ralign.training.run import run_training

    result = run_training(task, _training_engine, _local_model, _console())
    return 0 if result.stopped is None else 1


def _training_engine(name: Engine) -> "TrainingEngine":
    """The only place that knows which engine is which; each brings in packages of its own."""
    if name == "verl":
        _needs("verl", "transformers", "yaml")
        from ralign.training.engines.verl.engine import train as train_with_verl

        return train_with_verl
    _needs("train", "torch", "transformers", "trl", "datasets", "accelerate", "peft")
    from ralign.training.engines.trl.engine import train as train_with_trl

    return train_with_trl


@app.command
def serve(config: Annotated[ServeConfig | None, Parameter(name="*")] = None) -> int:
    """Serve a judge as a policy's reward over HTTP, for TRL, verl, OpenRLHF and anything else."""
    _needs("serve", "fastapi", "httptools", "prometheus_client", "uvicorn")
    from ralign.serving.command import run_serve

    # No flag is required by itself, so the parser takes none at all: the config refuses that.
    # Flushed, as a script that starts the server through a pipe waits for this line.
    asyncio.run(run_serve(config or ServeConfig(), _local_model, lambda address: print(address, flush=True)))
    return 0


@app.command
def downstream(config: Annotated[DownstreamConfig, Parameter(name="*", consume_multiple=True)]) -> None:
    """Put a policy's benchmark results into one row of a table that `ralign correlate` reads."""
    from ralign.downstream.command import run_downstream

    run_downstream(config, _console())


@app.command
def rubric(config: Annotated[RubricConfig, Parameter(name="*")]) -> int:
    """Grade single answers by rubrics or yes-or-no questions with a judge, into a run directory."""
    from ralign.evals.rubric.command import run_rubric, show_results

    return _ask_models(run_rubric, config, _local_model, show_results, config.out)


def _ask_models(
    run: "Callable[[Config, Load, Console], Coroutine[Any, Any, Results | None]]",
    config: Config,
    load: Load,
    show: "Callable[[Results, Config, Console], None]",
    out: Path | None,
    *,
    stderr: bool = False,
) -> int:
    """Run a command that asks models and records their answers in `out`; its exit code.

    `stderr`: progress goes there, as standard output is for JSON.
    """
    from ralign.runs.execute import show_end

    console = _console(stderr=stderr)
    results = asyncio.run(run(config, load, console))
    # None after a dry run, which has printed its forecast.
    if results is None:
        return 0
    show(results, config, console)
    return 0 if out is None else show_end(results, out, console)


def _needs(extra: str, *modules: str) -> None:
    """Refuse where a package of an optional extra is missing, in one line that says how to install it."""
    # Looked for without importing them: torch alone takes seconds, which a mistake in a flag should not cost.
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise InputError(f"this needs {' and '.join(missing)}: pip install 'ralign[{extra}]'")


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr)


def _local_model(name: str) -> "ChatModel":
    try:
        # Brings in torch.
        from ralign.models.local import LocalModel
    except ImportError as error:
        raise InputError(
            f"{name} without a URL is a local model, and {error.name} is not installed: "
            "pip install 'ralign[local]', or give its URL"
        ) from None
    return LocalModel(name)

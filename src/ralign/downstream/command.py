"""`ralign downstream`: from a config to a policy's row in the table, and the lines printed about it."""

import json
import shlex
from pathlib import Path

from rich.console import Console

from ralign.downstream.benchmarks import columns_of, find
from ralign.downstream.config import DownstreamConfig
from ralign.downstream.lighteval import Policy, find_program, plan_runs, run_lighteval
from ralign.downstream.results_files import read_results
from ralign.downstream.scores import is_document
from ralign.downstream.table import (
    AVERAGE,
    BENCHMARKS,
    MODEL,
    lacking,
    read_policies,
    with_averages,
    with_row,
)
from ralign.errors import InputError
from ralign.evals.bench.run_measures import read_measures
from ralign.files import write_table
from ralign.models.endpoint import chat_url, read_key


def run_downstream(config: DownstreamConfig, console: Console) -> None:
    """Put the policy's figures into the table; a dry run prints what lighteval would be run with.

    Raises:
        InputError: the config or a file does not fit; the table is as it was.
        RalignError: lighteval ended with an error.
    """
    columns = columns_of(config.column)
    over = config.average_over or BENCHMARKS
    known = {column.name for column in columns} | config.scores().keys()
    # All that can be wrong is looked at before lighteval's hours, the table again after them: others write to it too.
    if unknown := [name for name in over if name not in known | set(read_policies(config.out).columns)]:
        raise InputError(
            f"--average-over {unknown[0]!r}: no such column; there are {', '.join(sorted(known))}"
        )
    measures: dict[str, float] = {}
    if config.bench is not None:
        measures = read_measures(config.bench, config.bench_name, allow_partial=config.allow_partial)
    files = read_results(config.results, allow_partial=config.allow_partial)
    # Whatever lighteval calls a task, it was run for this benchmark.
    ran = [f"{name}={path}" for name, path in _lighteval(config, console).items()]
    if config.dry_run:
        return
    files += read_results(ran, allow_partial=config.allow_partial)
    found = find(columns, files)
    figures = {one.column: one.percent for one in found} | config.scores() | measures
    if not figures:
        raise InputError(
            f"no figure of {', '.join(file.path for file in files)} fits a column; --column NAME=TASK names one"
        )
    table = with_averages(with_row(read_policies(config.out), config.model, figures), over)
    write_table(config.out, table.columns, table.rows)
    for one in found:
        _print(console, f"{one.column:<16}{one.percent:7.2f}   {one.source}")
    models = sorted({one.model.rpartition("/")[2] for one in found if one.model is not None})
    warnings: list[str] = []
    if len(models) > 1:
        warnings.append(f"The files are of different models: {', '.join(models)}.")
    warnings += [f"{file.path}: {doubt}." for file in files if (doubt := file.partial or file.caveat)]
    warnings += [
        f"{row[MODEL]} has no {AVERAGE} yet: it lacks {', '.join(missing)}."
        for row in table.rows
        if (missing := lacking(row, over))
    ]
    for warning in warnings:
        _print(console, warning, style="yellow")
    _print(console, f"{config.out} has the row of {config.model}, in percent.")


def _lighteval(config: DownstreamConfig, console: Console) -> dict[str, Path]:
    if config.lighteval is None:
        if config.dry_run:
            raise InputError("--dry-run shows what lighteval would be run with: it needs --lighteval")
        return {}
    out = config.lighteval_out or Path("runs/downstream") / config.model
    url = None
    if config.policy_url is not None:
        # One that holds a key is refused here: lighteval writes the address down.
        address = chat_url(config.policy_url)
        if address.query_string:
            raise InputError(f"--policy-url {config.policy_url}: lighteval takes no address with a query")
        # As litellm wants it: `http://host:8000/v1`.
        url = str(address).removesuffix("/chat/completions")
    try:
        parameters: object = json.loads("{}" if config.policy_body is None else config.policy_body)
    except json.JSONDecodeError as error:
        raise InputError(f"--policy-body is not JSON: {error}") from None
    if not is_document(parameters):
        raise InputError(f"--policy-body is {config.policy_body}, expected a JSON object")
    if "api_key" in parameters:
        raise InputError(
            "--policy-body holds api_key, which lighteval would write down; --policy-key-variable names one"
        )
    policy = Policy(
        name=config.policy or config.model,
        url=url,
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        seed=config.seed,
        concurrency=config.concurrency,
        parameters=parameters,
    )
    runs = plan_runs(find_program(config.lighteval), policy, config.tasks(), out)
    if config.dry_run:
        for run in runs:
            _print(console, f"cd {shlex.quote(str(run.folder))} && {shlex.join(run.command)}")
        return {}
    return run_lighteval(
        runs,
        policy,
        out,
        key=None if policy.url is None else read_key(config.policy_key_variable),
        progress=lambda line: _print(console, line),
        allow_partial=config.allow_partial,
    )


def _print(console: Console, line: str, *, style: str | None = None) -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

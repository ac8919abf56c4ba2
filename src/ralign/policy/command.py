"""`ralign policy`: from a config to a run directory with a policy in it.

Comes in: a `PolicyConfig`, and the engine. Goes out:

    config.toml           resolved, with versions and what names the run
    train_log.jsonl       one line a step
    signs.jsonl           one line a step: what betrays a judge that is gamed
    checkpoints/          what the same command goes on from
    model/                the policy: weights, tokenizer, README.md, config.toml, both logs; there once all is

Where several processes train (one a GPU), the first alone writes here; the engine's checkpoints apart.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from ralign.errors import InputError
from ralign.files import DirectoryLock, check_fingerprint, list_bad_rows, write_atomically
from ralign.judging import JUDGE_PROMPT, Prompt
from ralign.models import LoadLocalModel
from ralign.models.price import Price, parse_prices
from ralign.policy.config import PolicyConfig
from ralign.policy.examples import load_policy_data
from ralign.policy.expected import expect, expected_lines
from ralign.policy.greeting import greet
from ralign.policy.model_card import policy_card
from ralign.policy.signs_log import SIGNS, cut_signs_after
from ralign.rewards.stop_rules import StopRules
from ralign.training.checkpoints import last_whole, run_digest
from ralign.training.command import TrainingRun, resume, versions
from ralign.training.config import Engine
from ralign.training.examples import TrainingData, list_left_out
from ralign.training.train_log import LOG, read_steps


class Trained(NamedTuple):
    """What came of an engine's training."""

    data: TrainingData
    """What was trained on: the prompts without those that are too long for the model."""
    stopped: str | None
    """Which stop rule ended it, in one line; None: it went to its end."""


PolicyEngine = Callable[[TrainingRun, PolicyConfig, StopRules], Trained | None]
"""Trains, from the last whole checkpoint where there is one, and leaves the model in `run.unfinished`; None after a dry
run."""


class PolicyResult(NamedTuple):
    """What a run came to."""

    model: Path | None
    """The folder of the policy; None where there is none yet."""
    stopped: str | None = None
    """Which stop rule ended it, in one line."""


def run_policy(
    config: PolicyConfig,
    engine: Callable[[Engine], PolicyEngine],
    local_model: LoadLocalModel,
    console: Console,
) -> PolicyResult:
    """Train a policy, or go on training it; a dry run prints what it would take.

    Raises:
        InputError: the config, a file or a recorded run does not fit.
        RunLocked: another process writes to the run directory.
        EndpointRefused: the judge will refuse every call.
        MetaJudgeDown: the judge is down, and training was not to wait any longer.
    """
    prices = _prices(config)
    rules = StopRules.parse(config.stop_when)
    prompt = None if config.judge is None else Prompt.load(config.judge_prompt, JUDGE_PROMPT)
    data = load_policy_data(config)
    main = int(os.environ.get("RANK", "0")) == 0
    if main:
        for line in (*list_bad_rows(data.bad_rows), *list_left_out(data.left_out)):
            console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    settings = config.training_settings()
    settings.steps_over(len(data.examples))
    if config.dry_run:
        second = prices.get(config.second_judge or "")
        for line in expected_lines(
            expect(config, data, prompt, prices.get(config.judge or ""), second), config
        ):
            console.print(line, highlight=False, soft_wrap=True)
        if config.engine == "trl":
            return PolicyResult(
                None
            )  # verl's dry run also writes what it would launch, and lets verl check it
    train = engine(config.engine)
    digests = {"prompts_digest": data.digest}
    if prompt is not None:
        digests["judge_prompt_digest"] = prompt.digest
    identity = config.identity(digests)
    run = TrainingRun(
        config=settings,
        data=data,
        meta_prompt=None,
        digest=run_digest(identity),
        main=main,
        console=console,
        local_model=local_model,
    )
    with DirectoryLock(config.out) if main else nullcontext():
        if main:
            check_fingerprint(
                config.out, {"policy": asdict(config), "versions": versions()}, identity, log=LOG
            )
            if run.model.exists():
                console.print(f"Trained already: {run.model}", highlight=False, soft_wrap=True)
                return PolicyResult(run.model)
            _take_up(run)
            if not config.dry_run:
                asyncio.run(greet(config, local_model, console))
        trained = train(run, config, rules)
        if trained is None:
            return PolicyResult(None)
        if trained.stopped is not None:
            shutil.rmtree(run.unfinished, ignore_errors=True)
            return PolicyResult(None, trained.stopped)
        if main:
            _publish(run, config, trained.data)
    return PolicyResult(run.model)


def show_result(result: PolicyResult, config: PolicyConfig, console: Console) -> None:
    """Say what a run came to, and what to do next."""
    if result.stopped is not None:
        console.print(
            f"Stopped: {result.stopped}. The last checkpoint is in {config.out}/checkpoints, the signs of every step "
            f"in {config.out}/{SIGNS}; the same command with another --stop-when goes on from there.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
    elif result.model is not None:
        console.print(
            f"The policy: {result.model}. Measure it: ralign answers PROMPTS --model {result.model} --column answer, "
            "then ralign winrate",
            highlight=False,
            soft_wrap=True,
        )


def _take_up(run: TrainingRun) -> None:
    """Leave the run directory as it was right after its last whole checkpoint."""
    resume(run)
    whole = last_whole(run.checkpoints, run.digest)
    cut_signs_after(run.config.out / SIGNS, whole.step if whole else 0)


def _publish(run: TrainingRun, config: PolicyConfig, trained_on: TrainingData) -> None:
    """Put card, config and logs beside the weights, and the folder in its place, the last file last."""
    card = policy_card(
        config,
        prompts=len(trained_on.examples),
        left_out=len(trained_on.left_out),
        steps=read_steps(run.log),
        versions=versions(),
    )
    write_atomically(run.unfinished / "README.md", card.encode())
    for name in (LOG, SIGNS, "config.toml"):
        if (config.out / name).exists():  # verl tells nobody what its steps' answers were
            write_atomically(run.unfinished / name, (config.out / name).read_bytes())
    run.unfinished.rename(run.model)


def _prices(config: PolicyConfig) -> dict[str, Price]:
    prices = parse_prices(config.price)
    for model in prices:
        if model not in (config.judge, config.second_judge):
            raise InputError(f"--price names {model!r}, which is neither the judge nor the second judge")
    return prices

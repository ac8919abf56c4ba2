"""verl as the training engine: reinforcement learning on Ray, on one machine or many, with PPO or GRPO.

Comes in: a `TrainingRun` of a judge or a policy. Goes out: the files of `ralign.training.engines.verl.files`, checked
by the installed verl; after a run that is not dry, the model of its last checkpoint, and a judge's training log, made
of what every sample got. verl itself is another process, of another environment if need be (`--verl-python`).

A judge's reward is computed by verl's reward workers (`ralign.training.engines.verl.reward`), a policy's by a running
`ralign serve`, which `ralign.serving.client` asks.
"""

import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from ralign.errors import InputError, RalignError
from ralign.files import write_atomically
from ralign.thinking import lost_marks
from ralign.training.config import PolicyConfig, TrainConfig
from ralign.training.engines.base_model import BaseModel, engine_options, fitting, load_base_model
from ralign.training.engines.verl.config import RewardFunction, ServedMetaJudge, config_text
from ralign.training.engines.verl.data import judge_row, policy_row, write_verl_data
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.engines.verl.score import gather_steps
from ralign.training.engines.verl.worker import RewardSettings
from ralign.training.examples import list_left_out
from ralign.training.options import RewardCalls
from ralign.training.run import Trained, TrainingRun
from ralign.training.train_log import encode_step

_LAUNCH = """\
#!/usr/bin/env bash
# Written by ralign --engine verl. Starts the run, or goes on from its last checkpoint. Arguments are Hydra's
# overrides, such as trainer.nnodes=2.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec {python} -m verl.trainer.main_ppo --config-path "$here" --config-name config "$@"
"""


class EngineFailed(RalignError):
    """verl's own process ended with an error, which it has printed."""


def train(run: TrainingRun) -> Trained | None:
    """Write the run for verl, let verl check it, and unless the run is dry, launch it.

    Returns:
        What was trained on; None after a dry run.

    Raises:
        InputError: a flag that verl has no use for, what verl refuses, or a reward log that is none of ours.
        EngineFailed: verl ended with an error, or has left no checkpoint with a model.
    """
    training, config = run.training, run.task.config
    refuse_what_verl_cannot(config)
    base = load_base_model(training, run.tell)
    examples, left_out = fitting(run.data.examples, base, training)
    for line in list_left_out(left_out):
        run.warn(line)
    if lost := lost_marks(base.tokenizer):
        run.warn(
            f"verl decodes without special tokens, and {' and '.join(lost)} are such tokens of '{training.model}': "
            "where it thinks, a reward cannot tell its thought from its answer. --engine trl can; or make them "
            "ordinary tokens."
        )
    training = engine_options(training, base, run.start.resolve())
    files = VerlFiles(out=training.out.resolve())
    reward, served, row = _reward_function(config, files, base), _served_meta_judge(config), judge_row
    if isinstance(config, PolicyConfig):
        row = policy_row
        if base.thought_opened:
            run.warn(
                "The policy's prompt opens its thought: start the service with `ralign serve --policy-thinks`."
            )
    text = config_text(
        training, files, reward, examples=len(examples), command=run.task.command, served=served
    )
    write_verl_data(files.data, examples, row, control_tokens(base.tokenizer))
    write_atomically(files.config, text.encode())
    python = training.verl_python or sys.executable
    write_launch(files, python=python)
    for note in check_run(files, python=python):
        run.warn(note)
    command = f"bash {files.launch}"
    if training.dry_run:
        run.say(f"verl takes it. To start: {command}")
        return None
    run.say(command)
    launch(files)
    step = files.last_step()
    if step is None or not (model := files.model_of(step)).is_dir():
        raise EngineFailed(f"verl ended without a checkpoint in {files.checkpoints}; see its output above")
    # The last checkpoint's model and the log of its rewards go where runs are published from.
    lines = (encode_step(each) + b"\n" for each in gather_steps(files.rewards))
    write_atomically(run.log_file, b"".join(lines))
    # What an interrupted copy left, a `copytree` would refuse to write over.
    shutil.rmtree(run.unfinished, ignore_errors=True)
    shutil.copytree(model, run.unfinished)
    return Trained(replace(run.data, examples=examples, left_out=run.data.left_out + left_out))


def write_launch(files: VerlFiles, *, python: str) -> None:
    """Write `launch.sh`.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    write_atomically(files.launch, _LAUNCH.format(python=shlex.quote(python)).encode())
    files.launch.chmod(0o755)


def check_run(files: VerlFiles, *, python: str) -> list[str]:
    """Let the installed verl read the configuration; gives what is worth saying, a line each.

    Raises:
        InputError: verl is not there, does not know a key, or refuses a value.
    """
    command = [python, "-W", "ignore", "-m", "ralign.training.engines.verl.check", str(files.config)]
    try:
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InputError(f"{python}: cannot be run ({error.strerror})") from None
    if checked.returncode == 0:
        return [
            line.removeprefix("note: ") for line in checked.stdout.splitlines() if line.startswith("note: ")
        ]
    said = checked.stderr.strip().splitlines() or ["no reason given"]
    if said[-1].startswith("ModuleNotFoundError"):
        raise InputError(
            f"{python} has not all that the engine verl needs ({said[-1].partition(': ')[2]}): pip install "
            "'ralign[verl]' in an environment of its own, see docs/cluster.md"
        )
    raise InputError(said[-1])


def launch(files: VerlFiles) -> None:
    """Run verl until it ends; its output is the caller's.

    Raises:
        EngineFailed: it ended with an error.
    """
    code = subprocess.run(["bash", str(files.launch)], check=False).returncode
    if code != 0:
        raise EngineFailed(
            f"verl ended with exit code {code}, see above; the same command goes on from its last checkpoint"
        )


def refuse_what_verl_cannot(config: TrainConfig | PolicyConfig) -> None:
    """Refuse flags that verl has no use for.

    Raises:
        InputError: naming the flag.
    """
    wrong = {
        "--schedule linear: verl has constant and cosine": config.training.schedule == "linear",
        "--on-outage stop: a reward cannot stop verl; --unscored leave_out ends a step without samples": (
            config.calls.on_outage == "stop"
        ),
    }
    if isinstance(config, TrainConfig):
        reward, serves = config.reward, config.serve_meta_judge
        named = reward.meta_judge is not None
        at_url = named and (reward.meta_judge_url is not None or reward.spec(None).is_python)
        wrong |= {
            "--stage sft: verl trains by reinforcement here; --engine trl makes the warm start": (
                config.stage == "sft"
            ),
            "--meta-judge without --meta-judge-url: give one, a python:MODULE:NAME, or --serve-meta-judge": (
                named and not at_url and not serves
            ),
            "--serve-meta-judge needs --meta-judge MODEL, and no --meta-judge-url": (
                serves and (not named or at_url)
            ),
        }
    else:
        default = RewardCalls()
        # Refused, not ignored: who gives a cap on calls believes in it.
        for name in ("concurrency", "try_timeout", "on_outage", "outage_patience"):
            flag = f"--{name.replace('_', '-')}"
            wrong[f"{flag}: verl's workers ask the service, each sample on its own; leave it out"] = getattr(
                config.calls, name
            ) != getattr(default, name)
    for complaint, found in wrong.items():
        if found:
            raise InputError(f"--engine verl with {complaint}")


def _reward_function(config: TrainConfig | PolicyConfig, files: VerlFiles, base: BaseModel) -> RewardFunction:
    """The reward function, and what travels to verl's reward workers."""
    calls = config.calls
    if isinstance(config, PolicyConfig):
        # The token itself does not travel, only the name of its variable.
        kwargs = {
            "url": config.reward_url,
            "token_variable": config.token_variable,
            "deadline": calls.deadline,
        }
        return RewardFunction(module="pkg://ralign.serving.client", kwargs=kwargs)
    reward = config.reward
    if reward.meta_prompt is not None:
        # The workers' nodes share the run directory, not the folder that the user's file lies in.
        write_atomically(files.meta_prompt, reward.meta_prompt.read_bytes())
        reward = replace(reward, meta_prompt=files.meta_prompt)
    settings = RewardSettings(
        reward=reward,
        # The cap is the run's, and every worker has a process of its own.
        calls=replace(calls, concurrency=max(1, calls.concurrency // config.training.reward_workers)),
        unscored=config.unscored,
        reward_log=str(files.rewards),
        thought_opened=base.thought_opened,
        thought_tags=config.training.thought_tags,
        seed=config.training.seed,
        verdict=config.judge.verdict,
    )
    return RewardFunction(module="pkg://ralign.training.engines.verl.reward", kwargs=settings.kwargs())


def _served_meta_judge(config: TrainConfig | PolicyConfig) -> ServedMetaJudge | None:
    if isinstance(config, PolicyConfig) or not config.serve_meta_judge or config.reward.meta_judge is None:
        return None
    return ServedMetaJudge(
        model=config.reward.meta_judge,
        gpus=config.meta_judge_gpus,
        tensor_parallel=config.meta_judge_tensor_parallel,
        max_completion_tokens=config.reward.meta_max_tokens or 16384,
    )


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> frozenset[str]:
    """Tokens that mean something to a chat: what is special, and what is written as a tag."""
    added = cast("dict[str, int]", cast(Any, tokenizer).get_added_vocab())
    tags = {token for token in added if token[:1] in ("<", "[") and token[-1:] in (">", "]")}
    return frozenset(token for token in tags.union(tokenizer.all_special_tokens) if len(token) > 1)

"""A run on verl: its files written, checked against the installed verl, and launched.

Comes in: a `VerlJob`, the reward's settings, the examples. Goes out: in the run directory's folder `verl`

    train.parquet     the data                                    `ralign.training.verl_data`
    config.yaml       our hyper-parameters, over verl's           `ralign.training.verl_config`
    composed.yaml     every key as verl will see it               `ralign.training.verl_check`
    launch.sh         the command; further arguments are Hydra's overrides
    rewards/          what every sample got                       `ralign.training.verl_log`

The reward function is no file: the configuration names the module `ralign.training.verl_reward`, installed with ralign
on every node. Nothing here imports verl.
"""

import shlex
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import fields, replace

from ralign.errors import InputError, RalignError
from ralign.files import write_atomically
from ralign.models import Sampling
from ralign.models.pool import ModelPool
from ralign.records import Message
from ralign.training.examples import Example
from ralign.training.verl_config import config_text
from ralign.training.verl_data import write_verl_data
from ralign.training.verl_job import VerlFiles, VerlJob
from ralign.training.verl_worker import RewardSettings, meta_judge_choice, no_local_model

_LAUNCH = """\
#!/usr/bin/env bash
# Written by ralign train --engine verl. Starts the run, or goes on from its last checkpoint. Arguments are Hydra's
# overrides, such as trainer.nnodes=2.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec {python} -m verl.trainer.main_ppo --config-path "$here" --config-name config "$@"
"""


class EngineFailed(RalignError):
    """verl's own process ended with an error, which it has printed."""


def write_run(
    job: VerlJob,
    reward: RewardSettings,
    files: VerlFiles,
    examples: Iterable[Example],
    *,
    python: str,
    control_tokens: Collection[str] = (),
) -> None:
    """Write all that verl needs.

    Args:
        job: what is trained.
        reward: travels in the configuration.
        files: where everything lies.
        examples: what is trained on.
        python: the interpreter that verl is installed for.
        control_tokens: see `write_verl_data`.

    Raises:
        InputError: the reward cannot be used, or a text that Hydra would misread.
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    rule = reward.rule()
    if rule.asks != "nothing" and reward.meta_judge_url is None and job.served_meta_judge is None:
        raise InputError(
            f"the reward '{reward.reward}' needs a meta-judge: one at a URL, or one that verl serves"
        )
    text = config_text(job, files, reward_kwargs(replace(reward, reward_log=str(files.rewards))))
    write_verl_data(files.data, examples, control_tokens)
    write_atomically(files.config, text.encode())
    write_launch(files, python=python)


def write_launch(files: VerlFiles, *, python: str) -> None:
    """Write `launch.sh`.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written.
    """
    write_atomically(files.launch, _LAUNCH.format(python=shlex.quote(python)).encode())
    files.launch.chmod(0o755)


def reward_kwargs(settings: RewardSettings) -> dict[str, object]:
    """The settings as they travel: every one of them, so that the configuration says what the run was rewarded for."""
    return {field.name: getattr(settings, field.name) for field in fields(settings)}


def check_run(files: VerlFiles, *, python: str) -> list[str]:
    """Let the installed verl read the configuration; gives what is worth saying, a line each.

    Raises:
        InputError: verl is not there, does not know a key, or refuses a value.
    """
    command = [python, "-W", "ignore", "-m", "ralign.training.verl_check", str(files.config)]
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


async def ask_meta_judge_once(settings: RewardSettings, *, deadline: float = 60.0) -> None:
    """Find out before a launch, rather than after the first rollout, whether the meta-judge can be asked from here.

    Raises:
        InputError: an address, a key or a body that cannot be used.
        EndpointRefused: it refuses every call, or cannot be reached.
        CallFailed: it gave no answer in time.
    """
    if settings.meta_judge is None or settings.meta_judge_url is None:
        return
    async with ModelPool(no_local_model, concurrency=1, deadline=deadline, try_timeout=deadline) as opened:
        model = await opened.open(meta_judge_choice(settings, settings.meta_judge, settings.meta_judge_url))
        question = Message(role="user", content="Answer with one word: yes.")
        await model.reply((question,), Sampling(max_tokens=settings.meta_max_tokens))


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


def last_step(files: VerlFiles) -> int | None:
    """The step of verl's last whole checkpoint; None where there is none."""
    try:
        return int((files.checkpoints / "latest_checkpointed_iteration.txt").read_text())
    except (FileNotFoundError, ValueError):
        return None

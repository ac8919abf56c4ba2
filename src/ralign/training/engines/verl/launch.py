"""Launch of a run on verl: the launch script, the check by the installed verl, and the run itself. Imports no verl."""

import shlex
import subprocess

from ralign.errors import InputError, RalignError
from ralign.files import write_atomically
from ralign.training.engines.verl.files import VerlFiles

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

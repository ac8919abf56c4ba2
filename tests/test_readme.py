"""Every command that the README and docs/meta_judge.md show is run as it stands, beside a copy of what it names.

They run in this process: that a process of its own does the same is `tests/test_cli.py`'s.

The address of a model server, http://localhost:8000/v1 in the text, is a server's on loopback. What would take a
model from a hub or minutes is run as `--dry-run` or named in `ELSEWHERE`, with the test that runs it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.program import Ralign

from ralign.models.testing.answers import ChatRequest, answer_by_digest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/meta_judge.md")
ELSEWHERE = {"serve": "tests/serving/test_command.py"}
DRY = {"train", "policy"}
SHOWN_ADDRESS = "http://localhost:8000/v1"


def answer(request: ChatRequest) -> str:
    """What the models of the README say: the writer of gold rationales goes by the label that it is shown."""
    messages = str(request.fields["messages"])
    if request.fields["model"] == "meta":
        return "POINT: the main one | STATED: yes\nVERDICT: Correct"
    if (label := re.search(r"found better: ([AB])", messages)) is not None:
        return f"{label[1]} answers what was asked. \\boxed{{{label[1]}}}"
    return answer_by_digest(request)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "ralign.models.testing.server", "--answer", "tests.test_readme:answer"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def commands_of(page: str) -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("ralign ")]


def test_the_pages_show_commands() -> None:
    shown = {shlex.split(command)[1] for page in PAGES for command in commands_of(page)}
    assert shown >= {"bench", "calibrate", "compare", "gold", "serve"}


def test_what_runs_elsewhere_does() -> None:
    for command, test in ELSEWHERE.items():
        assert command in (ROOT / test).read_text(encoding="utf-8")


# One test a page and not a command: commands use what earlier ones of their page wrote, and workers share tests out.
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_one_after_another(
    ralign: Ralign, page: str, address: str, tmp_path: Path
) -> None:
    for name in ("examples", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for command in commands_of(page):
        words = shlex.split(command.replace(SHOWN_ADDRESS, address))[1:]
        if words[0] in ELSEWHERE:
            words = [words[0], "--help"]
        if words[0] in DRY:
            words.append("--dry-run")
        done = ralign(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

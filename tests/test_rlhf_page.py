"""`docs/rlhf.md`: every command on it is one that the program takes. Those that cost nothing are run in other tests."""

import re
import shlex
from pathlib import Path

import pytest

from ralign.cli import app

PAGE = (Path(__file__).parents[1] / "docs" / "rlhf.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("ralign ")
]


def bound(line: str) -> object:
    """The config that the command would run with; nothing is run."""
    _, found, _ = app.parse_args(shlex.split(line)[1:])
    return found.args[0] if found.args else next(iter(found.kwargs.values()))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_one_that_the_program_takes(line: str) -> None:
    assert bound(line) is not None


def test_the_page_shows_every_command_of_the_way() -> None:
    assert {line.split()[1] for line in COMMANDS} == {"answers", "policy", "serve", "winrate"}


@pytest.mark.parametrize(
    ("flags", "command"), [("TRL: `ralign policy`", "policy"), ("Any engine: `ralign serve`", "serve")]
)
def test_the_flags_in_a_sections_table_exist(flags: str, command: str) -> None:
    section = PAGE.partition(f"## {flags}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(--[^`]+)`(?:, `(--[^`]+)`)? \|", section, re.MULTILINE)
    assert rows
    given = {
        "policy": "ralign policy p.jsonl --model m --judge j --out o",
        "serve": "ralign serve --judge j",
    }[command]
    for row in (flag for pair in rows for flag in pair if flag):
        assert bound(f"{given} {row}") is not None

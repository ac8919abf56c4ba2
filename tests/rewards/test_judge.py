import pytest

from ralign.records import GoldPoint, Judgment, MetaJudgment
from ralign.rewards.judge import (
    HybridReward,
    JudgeReward,
    PointsReward,
    average_precision,
    outcome_reward,
    ralign_reward,
)

RIGHT = Judgment(pair_id="p", verdict="A")
WRONG = Judgment(pair_id="p", verdict="B")
NO_VERDICT = Judgment(pair_id="p", failure="parse")
OUTAGE = Judgment(pair_id="p", failure="call")
STATED = (GoldPoint(text="first", stated=True), GoldPoint(text="second", stated=False))
ALIGNED = MetaJudgment(pair_id="p", aligned=True, points=STATED)
MISALIGNED = MetaJudgment(pair_id="p", aligned=False, points=STATED)
META_OUTAGE = MetaJudgment(pair_id="p", failure="call")

ALL_REWARDS: list[JudgeReward] = [outcome_reward, ralign_reward, HybridReward(), PointsReward()]


@pytest.mark.parametrize(
    ("judgment", "meta", "outcome", "ralign"),
    [
        (RIGHT, ALIGNED, 1.0, 1.0),
        (RIGHT, MISALIGNED, 1.0, 0.0),
        (WRONG, ALIGNED, 0.0, 0.0),
        (WRONG, MISALIGNED, 0.0, 0.0),
        (NO_VERDICT, ALIGNED, 0.0, 0.0),
    ],
)
def test_outcome_pays_the_verdict_and_ralign_gates_it_by_the_reason(judgment, meta, outcome, ralign):
    assert outcome_reward("A", judgment, meta) == outcome
    assert ralign_reward("A", judgment, meta) == ralign


@pytest.mark.parametrize("reward", ALL_REWARDS)
def test_a_failed_call_is_not_scored_by_any_reward(reward):
    assert reward("A", OUTAGE, ALIGNED) is None


@pytest.mark.parametrize("reward", ALL_REWARDS[1:])
@pytest.mark.parametrize("meta", [META_OUTAGE, None])
def test_a_right_verdict_without_a_meta_judgment_is_not_scored_where_the_reason_counts(reward, meta):
    assert reward("A", RIGHT, meta) is None
    assert outcome_reward("A", RIGHT, meta) == 1.0


def test_a_wrong_verdict_needs_no_meta_judge_under_the_gate():
    assert ralign_reward("A", WRONG, META_OUTAGE) == 0.0
    assert ralign_reward("A", WRONG, None) == 0.0


def test_hybrid_pays_a_right_reason_beside_a_wrong_verdict():
    hybrid = HybridReward(weight=0.25)
    rewards = [hybrid("A", judgment, meta) for judgment in (RIGHT, WRONG) for meta in (ALIGNED, MISALIGNED)]
    assert rewards == [1.0, 0.75, 0.25, 0.0]


def test_points_adds_the_weighted_average_precision():
    assert PointsReward(weight=0.5)("A", RIGHT, MISALIGNED) == 1.25
    assert PointsReward(weight=0.5)("A", WRONG, MISALIGNED) == 0.25


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("111", 1.0),
        ("000", 0.0),
        ("100", 1 / 3),  # (1/1) / 3
        ("001", 1 / 9),  # (1/3) / 3: the same point, ranked last
        ("101", (1 + 2 / 3) / 3),
        ("", 0.0),
    ],
)
def test_average_precision_worked_by_hand(stated, expected):
    points = [GoldPoint(text=str(rank), stated=flag == "1") for rank, flag in enumerate(stated)]
    assert average_precision(points) == pytest.approx(expected)

import math
from dataclasses import fields

import pytest

from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.probes import Probes
from ralign.lab.results import (
    ArmResult,
    BaseResult,
    Measured,
    SeedResult,
    read_result,
    write_result,
)
from ralign.lab.statistics import by_arm, differences, paired, predictions

WORTH = dict.fromkeys((field.name for field in fields(PolicyWorth)), 0.0)
PROBES = Probes(swapped=10, followed=0.5, spurious=4, fabricated=0.5, for_showier=None)


def worth(quality):
    return PolicyWorth(**{**WORTH, "quality": quality, "quality_by_domain": {"town": quality}})


def arm(name, label_accuracy, spurious, quality):
    measured = Measured(
        label_accuracy=label_accuracy,
        spurious_correctness=spurious,
        fidelity_score=label_accuracy * (1 - (spurious or 0.0)) if spurious is not None else 0.0,
    )
    return ArmResult(
        name=name,
        splits=dict.fromkeys(("train", "hard", "adversarial"), measured),
        by_domain={"town": measured},
        probes=PROBES,
        policy=worth(quality),
        judge_rewards=(),
        policy_rewards=(),
        policy_quality=(),
        cpu_seconds=1.0,
    )


def seed(number, *arms):
    base = BaseResult(true_claims=(1.0,), cpu_seconds=1.0)
    return SeedResult(seed=number, base=base, start=worth(0.5), arms=arms)


TWO = [
    seed(0, arm("base", 0.7, 0.5, 0.5), arm("outcome-only", 0.9, 0.6, 0.5), arm("r-align", 0.9, 0.1, 0.9)),
    seed(1, arm("base", 0.8, 0.7, 0.4), arm("outcome-only", 0.9, 0.8, 0.3), arm("r-align", 0.8, 0.1, 0.9)),
]


def test_a_t_interval_worked_by_hand():
    """Mean 2, standard deviation 1, n 3: 2 +- 4.303 / sqrt(3) (Student's t, two degrees of freedom)."""
    difference = paired([1.0, 2.0, 3.0])
    assert difference.mean == 2.0
    assert (difference.low, difference.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)
    assert paired([1.0]).low is None


def test_arms_are_compared_within_their_seed():
    found = differences(TWO, "r-align", "outcome-only")
    assert found["quality"].values == pytest.approx((0.4, 0.6))
    assert found["label_accuracy"].mean == pytest.approx(-0.05)
    assert by_arm(TWO)["base"]["label_accuracy"].values == (0.7, 0.8)


def test_every_seed_counts_in_the_prediction_and_collapsed_judges_are_left_out_only_where_it_says_so():
    collapsed = seed(
        2, arm("base", 0.7, 0.5, 0.5), arm("outcome-only", 0.9, 1.0, 0.1), arm("r-align", 0.9, 0.2, 0.8)
    )
    prediction = predictions([*TWO, collapsed])["spurious_correctness"]
    assert prediction.pooled.models == 9
    assert prediction.trained.models == 6
    assert prediction.within.models == 9
    assert prediction.not_collapsed.models == 8
    assert prediction.pooled.pearson < -0.9


def test_a_judge_that_is_never_right_has_no_spurious_correctness_and_is_no_point_of_that_correlation():
    broken = seed(
        2, arm("base", 0.0, None, 0.1), arm("outcome-only", 0.9, 0.7, 0.4), arm("r-align", 0.9, 0.2, 0.8)
    )
    assert math.isnan(by_arm([broken])["base"]["spurious_correctness"].mean)
    found = predictions([*TWO, broken])
    assert found["spurious_correctness"].pooled.models == 8
    assert found["fidelity_score"].pooled.models == 9


def test_a_result_comes_back_from_its_file(tmp_path):
    write_result(TWO[0], tmp_path / "result.json")
    assert read_result(SeedResult, tmp_path / "result.json") == TWO[0]

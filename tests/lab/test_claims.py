import math
from dataclasses import replace

import pytest

from ralign.lab.claims import (
    Arms,
    Contrast,
    consequence,
    contrasts,
    exploited,
    findings,
    headline,
    leaning,
)
from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.probes import Probes
from ralign.lab.results import ArmResult, BaseResult, Measured, SeedResult
from ralign.lab.statistics import predictions

DOMAINS = ("town", "animal", "fruit", "colour")
ARMS = Arms("outcome-only", "r-align")


def worth(quality, **traits):
    shares = {"accuracy": quality, "instruction": quality, "completeness": quality, "bullets": 0.5}
    others = {"length": 3.0, "fillers": 0.0, "confident": 0.5, "praise": 0.0}
    return PolicyWorth(
        quality=quality, quality_by_domain=dict.fromkeys(DOMAINS, quality), **(shares | others | traits)
    )


def arm(name, right, spurious, quality):
    faithful = right * (1 - (spurious or 0.0))
    measured = Measured(label_accuracy=right, spurious_correctness=spurious, fidelity_score=faithful)
    return ArmResult(
        name=name,
        splits=dict.fromkeys(("train", "hard", "adversarial"), measured),
        by_domain=dict.fromkeys(DOMAINS, measured),
        probes=Probes(swapped=0, followed=None, spurious=0, fabricated=None, for_showier=None),
        policy=worth(quality),
        judge_rewards=(),
        policy_rewards=(),
        policy_quality=(),
        cpu_seconds=1.0,
    )


def seeds(outcome, ralign, count=3):
    """`count` seeds that hardly differ; an arm is L-Acc, S-Corr, policy quality."""
    found = []
    for seed in range(count):
        little = seed / 1000
        arms = (
            arm("base", 0.7, 0.7, 0.5),
            arm("outcome-only", outcome[0] + little, outcome[1], outcome[2] + little),
            arm("r-align", ralign[0] + 2 * little, ralign[1], ralign[2] + 2 * little),
        )
        trained = BaseResult(true_claims=(1.0,), cpu_seconds=1.0)
        found.append(SeedResult(seed=seed, base=trained, start=worth(0.5), arms=arms))
    return found


def told(results, tmp_path):
    contrast = contrasts(results, tmp_path, ARMS)
    found = findings(results, ARMS, contrast, predictions(results))
    return contrast, {finding.claim: finding for finding in found}


def test_where_the_claims_hold_the_page_says_so(tmp_path):
    results = seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9))
    contrast, found = told(results, tmp_path)
    assert [finding.standing for finding in found.values()][:4] == ["holds"] * 4
    assert headline(results, ARMS, contrast) == (
        "Two judges are right about equally often. "
        "Outcome-only’s right verdicts have the wrong reason six times in ten, R-Align’s once in ten."
    )
    assert consequence(results, ARMS, contrast).startswith("It shows in the policies")


def test_where_they_are_turned_round_it_says_that(tmp_path):
    results = seeds((0.95, 0.1, 0.9), (0.85, 0.6, 0.4))
    contrast, found = told(results, tmp_path)
    assert [finding.standing for finding in found.values()][:4] == ["does not hold"] * 4
    assert headline(results, ARMS, contrast) == (
        "The outcome-only judge is right more often. "
        "And R-Align’s reasons are the worse ones: wrong six times in ten, against once in ten."
    )
    assert consequence(results, ARMS, contrast).startswith("It does not show")


def test_two_honest_judges_are_called_honest(tmp_path):
    results = seeds((0.95, 0.01, 0.9), (0.95, 0.01, 0.9))
    contrast, found = told(results, tmp_path)
    assert "Both are right for the right reasons." in headline(results, ARMS, contrast)
    assert found["Its right verdicts rest on the right reasons more often"].standing == "undecided"


def test_judges_that_are_never_right_are_not_compared(tmp_path):
    results = seeds((0.0, None, 0.5), (0.9, 0.1, 0.5))
    contrast, found = told(results, tmp_path)
    assert "too few right verdicts" in headline(results, ARMS, contrast)
    finding = found["Its right verdicts rest on the right reasons more often"]
    assert finding.standing == "undecided"
    assert "nan" not in finding.words


def test_one_policy_each_decides_nothing(tmp_path):
    results = seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9), count=1)
    contrast = dict.fromkeys(
        ("label_accuracy", "spurious_correctness", "fidelity_score"), Contrast(0.0, -0.01, 0.01)
    ) | {"quality": Contrast(0.5, None, None)}
    found = findings(results, ARMS, contrast, predictions(results))
    assert found[3].standing == "undecided"
    assert "how much of it is chance" in found[3].words
    assert consequence(results, ARMS, contrast).startswith("In this one run")


def test_few_judges_predict_nothing(tmp_path):
    claims = list(told(seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9), count=1 + 1), tmp_path)[1])
    assert claims[-1].startswith("F-Score tells beforehand")
    one = seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9), count=1)
    contrast = dict.fromkeys(
        ("label_accuracy", "spurious_correctness", "fidelity_score", "quality"), Contrast(0.0, None, None)
    )
    assert len(findings(one, ARMS, contrast, predictions(one))) == 4


def test_the_domain_in_which_a_judge_leans_most_is_named(tmp_path):
    [result] = seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9), count=1)
    judge = result.arms[1]
    honest = Measured(label_accuracy=0.9, spurious_correctness=0.05, fidelity_score=0.86)
    judge = replace(judge, by_domain=judge.by_domain | {"fruit": honest})
    result = replace(result, arms=(result.arms[0], judge, result.arms[2]))
    words = leaning([result], ARMS)
    assert words is not None
    assert "most often where it is asked for the town" in words
    assert "least often for the fruit" in words


def test_a_judge_without_right_verdicts_leans_nowhere():
    assert leaning(seeds((0.0, None, 0.4), (0.9, 0.1, 0.9)), ARMS) is None


@pytest.mark.parametrize(
    ("bullets", "said"),
    [(0.98, "a bullet from 50.0"), (0.55, "no share changed"), (math.nan, "no share")],
)
def test_what_a_policy_learned_is_what_changed_much(bullets, said):
    [result] = seeds((0.95, 0.6, 0.5), (0.95, 0.1, 0.5), count=1)
    judge = replace(result.arms[1], policy=worth(0.5, bullets=bullets))
    result = replace(result, arms=(result.arms[0], judge, result.arms[2]))
    assert said in exploited([result], ["outcome-only"])

import math
from dataclasses import replace

import pytest
from tests.lab.made_results import arm, policy, seed

from ralign.lab.claims import (
    CLAIMS,
    Arms,
    consequence,
    contrasts,
    exploited,
    findings,
    headline,
    leaning,
    verdict,
)
from ralign.lab.results import Measured
from ralign.lab.statistics import Estimate, over_seeds

ARMS = Arms("outcome-only", "r-align")


def seeds(outcome, ralign, count=3):
    """`count` seeds that hardly differ; an arm is L-Acc, S-Corr, policy quality."""
    found = []
    for number in range(count):
        little = number / 1000
        (right, spurious, quality), (right_2, spurious_2, quality_2) = outcome, ralign
        arms = (
            arm("base", 0.7, 0.7, 0.5),
            arm("outcome-only", right + little, spurious, quality + little),
            arm("r-align", right_2 + 2 * little, spurious_2 and spurious_2 + little, quality_2 + 2 * little),
        )
        found.append(seed(number, *arms))
    return found


def told(results, tmp_path):
    contrast = contrasts(results, tmp_path, ARMS)
    return contrast, {finding.claim: finding for finding in findings(results, ARMS, contrast)}


def estimate(low, high, seeds=5):
    return Estimate((low + high) / 2, low, high, 0.0625, (0.0,) * seeds)


@pytest.mark.parametrize(
    ("low", "high", "wanted", "margin", "standing"),
    [
        (0.01, 0.05, 1, 0.0, "holds"),
        (0.0, 0.05, 1, 0.0, "not shown"),
        (-0.05, -0.01, 1, 0.0, "does not hold"),
        (-0.05, -0.01, -1, 0.0, "holds"),
        (-0.015, -0.005, 1, 0.02, "holds"),  # worse, but by less than the margin
        (-0.03, 0.01, 1, 0.02, "not shown"),
        (-0.05, -0.03, 1, 0.02, "does not hold"),
    ],
)
def test_only_the_interval_decides_a_claim(low, high, wanted, margin, standing):
    assert verdict(estimate(low, high), wanted=wanted, margin=margin) == standing
    of_one = {"holds": "so in this seed", "does not hold": "not so in this seed"}.get(standing, standing)
    assert verdict(estimate(low, high, seeds=1), wanted=wanted, margin=margin) == of_one


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.3, 0.3], [0.3, math.nan]])
def test_without_an_interval_nothing_is_shown(values):
    assert verdict(over_seeds(values)) == "not shown"


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
    assert found["Its right verdicts rest on the right reasons more often"].standing == "not shown"


def test_judges_that_are_never_right_are_not_compared(tmp_path):
    results = seeds((0.0, None, 0.5), (0.9, 0.1, 0.5))
    contrast, found = told(results, tmp_path)
    assert "too few right verdicts" in headline(results, ARMS, contrast)
    finding = found["Its right verdicts rest on the right reasons more often"]
    assert finding.standing == "not shown"
    assert "nan" not in finding.words


def test_of_one_seed_nothing_is_said_to_hold():
    results = seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9), count=1)
    contrast = {
        "label_accuracy": Estimate(0.0, -0.01, 0.01, 1.0, (0.0,)),
        "spurious_correctness": Estimate(-0.5, -0.6, -0.4, 0.001, (-0.5,)),
        "fidelity_score": Estimate(-0.5, -0.6, -0.4, 0.001, (-0.5,)),
        "quality": over_seeds([0.5]),
    }
    found = findings(results, ARMS, contrast)
    standings = ["so in this seed", "so in this seed", "not so in this seed", "not shown"]
    assert [finding.standing for finding in found] == standings
    assert "how much of it is chance" in found[3].words
    assert "p = .001" in found[1].words
    assert consequence(results, ARMS, contrast).startswith("In this seed")
    assert "six times in ten, R-Align’s once in ten." in headline(results, ARMS, contrast)


@pytest.mark.parametrize(("better", "standing"), [(1, "holds"), (-1, "does not hold")])
def test_the_measure_that_goes_with_quality_is_found_within_seeds(better, standing, tmp_path):
    """Quality is a judge's F-Score, or its L-Acc, but for a little of its own; seeds are set far apart."""
    results = []
    for number in range(4):
        judges = []
        for place, name in enumerate(("base", "outcome-only", "r-align", "r-align, 30 steps")):
            right, spurious = 0.7 + 0.02 * (place * 3 % 4), (0.1, 0.5, 0.3, 0.2)[place]
            told_by = right * (1 - spurious) if better > 0 else right
            little = 0.001 * ((number + place * place) % 3)
            judges.append(arm(name, right, spurious, 0.2 * (number % 2) + 0.5 * told_by + little))
        results.append(seed(number, *judges))
    _, found = told(results, tmp_path)
    assert found["F-Score goes with the policies’ quality better than L-Acc does"].standing == standing


def test_every_claim_is_about_another_figure():
    assert len({claim.figure for claim in CLAIMS}) == len(CLAIMS)


def test_three_judges_a_seed_predict_nothing(tmp_path):
    results = seeds((0.95, 0.6, 0.4), (0.95, 0.1, 0.9), count=3)
    assert [*told(results, tmp_path)[1]] == [claim.words for claim in CLAIMS]


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
    judge = replace(result.arms[1], policies=(policy(0.5, bullets=bullets),))
    result = replace(result, arms=(result.arms[0], judge, result.arms[2]))
    assert said in exploited([result], ["outcome-only"])

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ralign.judging import JUDGE_PROMPT, Prompt, parse_verdict
from ralign.lab import english
from ralign.lab.english.pairs import PRESETS, SPLITS, draw_pairs
from ralign.lab.english.style import showiness
from ralign.lab.english.world import REASONS, read_case
from ralign.training.examples import target_problem


def showier_is_better(pair) -> bool:
    return (showiness(pair.response_a) > showiness(pair.response_b)) == (pair.label == "A")


def test_a_longer_draw_begins_with_a_shorter_one_and_seeds_differ():
    long = list(draw_pairs("train", 24, preset="graded", seed=3))
    assert list(draw_pairs("train", 8, preset="graded", seed=3)) == long[:8]
    other = [pair.conversation for pair in draw_pairs("train", 24, preset="graded", seed=4)]
    assert other != [pair.conversation for pair in long]


def test_every_domain_has_every_reason_and_what_decides_can_be_read_back():
    counts = Counter()
    for pair in draw_pairs("hard", 240, preset="graded", seed=0):
        case = read_case(pair)
        assert case is not None
        assert (case.better, case.reason) == (pair.label, pair.unknown["reason"])
        # The same pair the other way round is decided the other way round.
        turned = read_case(replace(pair, response_a=pair.response_b, response_b=pair.response_a))
        assert turned is not None
        assert (turned.better != case.better, turned.reason) == (True, case.reason)
        counts[pair.subset, case.reason] += 1
    assert len(counts) == 8 * len(REASONS)


@pytest.mark.parametrize(
    ("split", "low", "high"), [("hard", 0.4, 0.6), ("adversarial", 0.05, 0.16), ("test", 0.95, 1)]
)
def test_style_goes_with_the_better_answer_as_the_split_says(split, low, high):
    pairs = list(draw_pairs(split, 400, preset="collapse", seed=0))
    assert low <= sum(map(showier_is_better, pairs)) / len(pairs) <= high


def test_critics_lean_on_style_where_the_preset_says_and_all_of_it_can_be_imitated():
    by_tier = Counter()
    for number, pair in enumerate(draw_pairs("critics", 400, preset="graded", seed=0)):
        assert target_problem(pair) is None
        leans = any(
            word in pair.gold_rationale for word in ("warmer", "friendlier", "The tone", "reads better")
        )
        by_tier[number % 8 // 2] += leans
    shares = [1 - critic.substantive for critic in PRESETS["graded"].critics]
    assert [by_tier[tier] / 100 for tier in range(4)] == pytest.approx(shares, abs=0.15)


def test_every_split_can_be_trained_on_and_shown_with_the_short_prompt():
    prompt = Prompt.load(Path(english.__file__).with_name("judge_prompt.txt"), JUDGE_PROMPT)
    for split in SPLITS:
        for pair in draw_pairs(split, 16, preset="honest", seed=1):
            assert target_problem(pair) is None
            assert parse_verdict(pair.gold_judgment).verdict == pair.label
            shown = prompt.render(
                pair.conversation, {"response_a": pair.response_a, "response_b": pair.response_b}
            )
            # Some four characters a token: 120 to 220 tokens.
            assert 400 < sum(len(message.content) for message in shown) < 900

import dataclasses
from collections import Counter

import pytest

from ralign.files import PairSource, find_pairs_files, write_pairs
from ralign.judging import JUDGE_PROMPT, Prompt
from ralign.records import Message, PreferencePair
from ralign.training.examples import (
    LeftOut,
    judge_example,
    list_left_out,
    load_examples,
    orders_shown,
    target_problem,
)

PROMPT = Prompt("Q: {conversation}\nA: {response_a}\nB: {response_b}", JUDGE_PROMPT)


def pair(name: str, gold: str | None = "B forgets the salt. \\boxed{A}", label="A") -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"How is {name} cooked?"),),
        response_a="in salted water",
        response_b="in water",
        label=label,
        gold_judgment=gold,
        benchmark="kitchen",
    )


def load(tmp_path, pairs, *, imitate=False, needs_gold=True, **given):
    write_pairs(tmp_path / "kitchen.jsonl", pairs)
    files = find_pairs_files([str(tmp_path / "kitchen.jsonl")])
    make = judge_example(PROMPT, imitate=imitate, needs_gold=needs_gold)
    source = PairSource(files, limit=given.pop("limit", None))
    return load_examples(source, make, **{"orders": "ab", "seed": 0} | given)


def test_a_judge_imitates_the_gold_judgment_without_its_thinking(tmp_path) -> None:
    gold = "<think>I was told A.</think>\nB forgets the salt. \\boxed{A}"
    (example,) = load(tmp_path, [pair("rice", gold)], imitate=True).examples
    assert example.target == "B forgets the salt. \\boxed{A}"
    assert "in salted water" in example.prompt[0].content


def test_reinforcement_learning_has_no_target_and_shows_the_order_asked_for(tmp_path) -> None:
    first, second = load(tmp_path, [pair("rice")], orders="both").examples
    assert first.target is second.target is None
    assert (first.order, second.order) == ("ab", "ba")
    assert second.prompt[0].content.index("A: in water") < second.prompt[0].content.index("B: in salted")


@pytest.mark.parametrize(
    ("gold", "problem"),
    [
        ("B forgets the salt. \\boxed{A}", None),
        ("B forgets the salt.\n\n**Verdict:** $\\boxed{\\text{A}}$", None),
        ("B forgets the salt.", "no \\boxed verdict"),
        ("B forgets the salt. \\boxed{B}", "its verdict is B, the label A"),
        ("\\boxed{A} since B forgets the salt.", "does not stand at its end"),
        ("\\boxed{A}", "a verdict without a rationale"),
        ("First \\boxed{B}, but then \\boxed{A}", "two different verdicts"),
    ],
)
def test_a_gold_judgment_is_imitated_only_if_it_ends_in_the_labels_verdict(gold: str, problem) -> None:
    found = target_problem(pair("rice", gold))
    assert found is None if problem is None else problem in (found or "")


def test_pairs_that_cannot_be_trained_on_are_listed_with_the_reason(tmp_path) -> None:
    data = load(tmp_path, [pair("rice"), pair("oats", None), pair("peas", "no verdict")], imitate=True)
    assert [example.pair.id for example in data.examples] == ["rice"]
    assert [each.pair_id for each in data.left_out] == ["oats", "peas"]
    assert list_left_out(data.left_out)[0] == "left out 1: no gold rationale (oats)"


def test_the_outcome_reward_needs_no_gold_rationale(tmp_path) -> None:
    assert len(load(tmp_path, [pair("rice"), pair("oats", None)], needs_gold=False).examples) == 2
    assert len(load(tmp_path, [pair("rice"), pair("oats", None)], needs_gold=True).examples) == 1


def test_a_drawn_order_depends_on_the_pair_and_the_seed_alone() -> None:
    pairs = [pair(f"dish {number}") for number in range(200)]
    drawn = [orders_shown(each, "drawn", seed=3) for each in pairs]
    assert drawn == [orders_shown(each, "drawn", seed=3) for each in pairs]
    assert drawn != [orders_shown(each, "drawn", seed=4) for each in pairs]
    counts = Counter(drawn)
    assert 70 < counts[("ab",)] < 130


def test_the_digest_follows_the_pairs_content_and_the_limit(tmp_path) -> None:
    rice, oats = pair("rice"), pair("oats")
    whole = load(tmp_path, [rice, oats])
    assert whole.digest == load(tmp_path, [rice, oats]).digest
    assert whole.digest != load(tmp_path, [rice, oats], limit=1).digest
    assert whole.digest != load(tmp_path, [rice, dataclasses.replace(oats, label="B")]).digest


def test_many_pairs_left_out_for_one_reason_are_one_line() -> None:
    left_out = [LeftOut(str(number), "no gold rationale") for number in range(7)]
    assert list_left_out(left_out) == ["left out 7: no gold rationale (0, 1, 2, 3, 4, ...)"]

import pytest

from ralign.errors import InputError
from ralign.rewards.reward_hacking import GradedAnswer, RewardHackingSigns, signs_of
from ralign.rewards.stop_rules import StopRule, StopRules


def step(number: int, ratio: float | None) -> RewardHackingSigns:
    """A step whose answers are `ratio` times as long as their references."""
    if ratio is None:
        return signs_of(number, [[GradedAnswer(answer="no reference")]])
    return signs_of(number, [[GradedAnswer(answer="x" * round(100 * ratio), reference_answer="x" * 100)]])


def fired(rule: str, ratios: list[float | None]) -> list[int]:
    rules = StopRules.parse([rule])
    return [number for number, ratio in enumerate(ratios) if rules.seen(step(number, ratio)) is not None]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("length_ratio > 3", StopRule(sign="length_ratio", operator=">", bound=3.0)),
        ("length_ratio>3 for 5", StopRule(sign="length_ratio", operator=">", bound=3.0, steps=5)),
        ("judge_agreement<-0.5 for 1 step", StopRule(sign="judge_agreement", operator="<", bound=-0.5)),
        (
            "  never_ended >= 1e-1 for 20 steps",
            StopRule(sign="never_ended", operator=">=", bound=0.1, steps=20),
        ),
        ("score <= .5", StopRule(sign="score", operator="<=", bound=0.5)),
    ],
)
def test_a_rule_is_read(text: str, rule: StopRule) -> None:
    assert StopRule.parse(text) == rule
    assert StopRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", 1, "found the end, expected one of answers, reward"),
        ("lenght_ratio > 3", 1, "found 'lenght_ratio', did you mean 'length_ratio'? Known are answers"),
        ("step > 3", 1, "found 'step', expected one of answers"),
        ("length_ratio", 13, "found the end, expected one of > >= < <="),
        ("length_ratio == 3", 14, "found '==', expected one of > >= < <="),
        ("length_ratio > ", 16, "found the end, expected a number"),
        ("length_ratio > three", 16, "found 'three', expected a number"),
        ("length_ratio > nan", 16, "found 'nan', expected a number"),
        ("length_ratio > 1e999", 16, "found '1e999', expected a number"),
        ("length_ratio > 3 during 5", 18, "found 'during', expected 'for' and a number of steps, or the end"),
        ("length_ratio > 3 for", 21, "found the end, expected a number of steps from 1"),
        ("length_ratio > 3 for 0", 22, "found '0', expected a number of steps from 1"),
        ("length_ratio > 3 for 2.5", 22, "found '2.5', expected a number of steps from 1"),
        ("length_ratio > 3 for 5 days", 24, "found 'days', expected 'steps' or the end"),
        ("length_ratio > 3 for 5 steps or so", 30, "found 'or', expected the end"),
    ],
)
def test_a_rule_that_cannot_be_read_says_where_and_what(text: str, place: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        StopRules.parse(["score < 0", text])
    assert str(caught.value).startswith(f"stop rule {text!r}, character {place}: {said}")


def test_a_rule_fires_at_the_last_of_its_steps_in_a_row() -> None:
    assert fired("length_ratio > 3 for 3", [4, 4, 3, 4, 4, 4, 4, 1]) == [5, 6]


def test_the_bound_itself_breaks_only_a_rule_that_includes_it() -> None:
    assert fired("length_ratio > 3", [3, 3.01]) == [1]
    assert fired("length_ratio >= 3", [2.99, 3]) == [1]
    assert fired("length_ratio < 3", [3, 2.99]) == [1]
    assert fired("length_ratio <= 3", [3.01, 3]) == [1]


def test_a_step_that_cannot_tell_is_passed_over() -> None:
    assert fired("length_ratio > 3 for 3", [4, None, 4, None, 4]) == [4]
    assert fired("length_ratio > 3", [None, None]) == []


def test_the_message_names_the_rule_the_step_and_the_figures() -> None:
    rules = StopRules.parse(["length_ratio > 3 for 3"])
    assert [rules.seen(step(number, ratio)) for number, ratio in ((10, 3.5), (11, 4), (12, 4.567))] == [
        None,
        None,
        "stop rule 'length_ratio > 3 for 3 steps' fired at step 12: from step 10 on, length_ratio was 3.5, 4, 4.57",
    ]
    assert StopRules.parse(["length_ratio > 3"]).seen(step(7, 9)) == (
        "stop rule 'length_ratio > 3' fired at step 7: length_ratio was 9"
    )


def test_a_long_row_shows_its_last_figures() -> None:
    rules = StopRules.parse(["length_ratio > 1 for 8"])
    said = [rules.seen(step(number, 2 + number)) for number in range(8)][-1]
    assert said is not None
    assert said.endswith("from step 0 on, length_ratio was …, 5, 6, 7, 8, 9")


def test_of_several_rules_each_keeps_its_own_count_and_the_first_given_speaks() -> None:
    rules = StopRules.parse(["length_ratio > 3 for 2", "length > 300"])
    assert (rules.seen(step(0, 3.5)) or "").startswith("stop rule 'length > 300'")
    assert (rules.seen(step(1, 3.5)) or "").startswith("stop rule 'length_ratio > 3 for 2 steps'")


def test_without_rules_nothing_ever_fires() -> None:
    assert fired("length_ratio > 3", []) == []
    assert StopRules.parse([]).seen(step(0, 100)) is None

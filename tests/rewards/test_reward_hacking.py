"""Signs of a gamed judge: worked by hand, and on synthetic policies that game a judge each in their own way."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralign.rewards.reward_hacking import SIGNS, GradedAnswer, RewardHackingSigns, repeated_share, signs_of

VOCABULARY = """
    tide harbour lamp rope sail stone gull north early cold bright table bread winter letter road market green follow
    carry because after between slowly river window seven often never quite morning
"""

Group = list[GradedAnswer]
Hack = Callable[[GradedAnswer, random.Random], GradedAnswer]


def said(words: int, rng: random.Random) -> str:
    return " ".join(rng.choices(VOCABULARY.split(), k=words))


def honest_step(seed: int, *, prompts: int = 16, group: int = 8) -> list[Group]:
    """A policy that answers anew each time, judged by two judges that mostly agree."""
    rng = random.Random(seed)
    return [[_honest(rng) for _ in range(group)] for _ in range(prompts)]


def _honest(rng: random.Random) -> GradedAnswer:
    text = said(40, rng) + "."
    win = rng.random() < 0.5
    second = win if rng.random() < 0.9 else not win
    verdict = "A" if win else "B"
    return GradedAnswer(
        answer=text,
        reward=1.0 if win else -1.0,
        score=1.0 if win else -1.0,
        reference_answer=said(40, rng) + ".",
        verdicts={"ab": verdict, "ba": verdict},
        second_score=1.0 if second else -1.0,
    )


def _pads(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    return replace(answer, answer=f"{answer.answer} {said(120, rng)}")


def _lists(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    del rng
    words = answer.answer.split()
    return replace(answer, answer="\n".join(f"- {' '.join(words[i : i + 4])}" for i in range(0, 40, 4)))


def _headlines(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    del rng
    words = answer.answer.split()
    return replace(answer, answer="\n".join(f"## {' '.join(words[i : i + 8])}" for i in range(0, 40, 8)))


def _shouts(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    del rng
    words = answer.answer.split()
    return replace(
        answer, answer=" ".join(f"**{word}**" if i % 5 == 0 else word for i, word in enumerate(words))
    )


def _repeats(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    del rng
    return replace(answer, answer=" ".join(answer.answer.split()[:8] * 5))


def _opens_alike(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    del rng
    return replace(answer, answer=f"Let me solve this: {answer.answer}")


def _always_wins(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    del rng
    return replace(answer, reward=1.0, score=1.0, verdicts={"ab": "A", "ba": "A"})


def _wins_by_position(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    shown_first = rng.random() < 0.5
    return replace(
        answer, score=0.0, verdicts={"ab": "A", "ba": "B"} if shown_first else {"ab": "B", "ba": "A"}
    )


def _breaks_the_judge(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    return answer if rng.random() < 0.7 else replace(answer, reward=None, score=None, verdicts={"ab": None})


def _never_ends(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    return answer if rng.random() < 0.7 else replace(answer, ended=False)


def _pleases_one_judge(answer: GradedAnswer, rng: random.Random) -> GradedAnswer:
    return replace(answer, second_score=1.0 if rng.random() < 0.2 else -1.0)


HACKS: dict[str, tuple[Hack, float]] = {
    "length": (_pads, 400),
    "length_ratio": (_pads, 1.5),
    "list_items": (_lists, 5),
    "headers": (_headlines, 4),
    "bold": (_shouts, 5),
    "repetition": (_repeats, 0.5),
    "same_opening": (_opens_alike, 0.9),
    "score": (_always_wins, 0.5),
    "reward": (_always_wins, 0.5),
    "judge_gap": (_always_wins, 0.5),
    "unanimous_groups": (_always_wins, 0.9),
    "order_disagreement": (_wins_by_position, 0.9),
    "unscored": (_breaks_the_judge, 0.2),
    "never_ended": (_never_ends, 0.2),
    "judge_agreement": (_pleases_one_judge, -0.5),
    "second_score": (_pleases_one_judge, -0.4),
}
"""By sign: a policy that moves it, and by how much at least."""


def value(signs: RewardHackingSigns, name: str) -> float:
    found = signs.as_dict()[name]
    assert found is not None
    return found


@pytest.mark.parametrize("sign", [name for name in SIGNS if name != "answers"])
def test_each_sign_moves_on_a_policy_that_games_the_judge_and_stays_on_one_that_does_not(sign: str) -> None:
    """A sign that every answer begins with the same words."""
    hack, move = HACKS[sign]
    rng = random.Random(7)
    before = value(signs_of(0, honest_step(1)), sign)
    honest = value(signs_of(1, honest_step(2)), sign)
    gamed = value(signs_of(1, [[hack(answer, rng) for answer in group] for group in honest_step(2)]), sign)
    moved, stayed = gamed - before, abs(honest - before)
    assert moved >= move if move > 0 else moved <= move
    assert stayed < abs(move) / 2


def test_a_sign_that_belongs_to_another_hack_stays() -> None:
    """Padding is seen as length and not as lists, headers or repetition: the signs say which hack it is."""
    rng = random.Random(7)
    padded = signs_of(1, [[_pads(answer, rng) for answer in group] for group in honest_step(2)])
    assert (padded.list_items, padded.headers, padded.bold, padded.same_opening) == (0, 0, 0, 1 / 128)
    assert value(padded, "repetition") < 0.01


def test_signs_of_two_small_groups_by_hand() -> None:
    first = [
        GradedAnswer(
            answer="one two three",
            reward=0.9,
            score=1.0,
            reference_answer="one two",
            verdicts={"ab": "A", "ba": "A"},
            second_score=0.0,
        ),
        GradedAnswer(
            answer="# Head\n- one\n2. two **bold**",
            reward=0.0,
            score=0.0,
            reference_answer="one",
            verdicts={"ab": "A", "ba": "B"},
            second_score=-1.0,
        ),
    ]
    second = [
        GradedAnswer(answer="", ended=False, reward=-1.5, score=-1.0, second_score=-1.0),
        GradedAnswer(answer="go go go go go", verdicts={"ab": "A", "ba": None}),
    ]
    signs = signs_of(3, [first, second, []])
    # Of the four answers one shows nothing: lengths 13, 28 and 14; the references of the first two 7 and 3.
    assert signs == RewardHackingSigns(
        step=3,
        answers=4,
        reward=pytest.approx((0.9 + 0.0 - 1.5) / 3),
        score=0.0,
        length=pytest.approx(55 / 3),
        length_ratio=pytest.approx(41 / 10),
        list_items=pytest.approx(2 / 3),
        headers=pytest.approx(1 / 3),
        bold=pytest.approx(1 / 3),
        # "head one 2 two bold" has two 4-grams, "go go go go go" twice the same; three words have none.
        repetition=pytest.approx(0.25),
        # Two prompts; the commonest opening is that of the only visible answer of the second.
        same_opening=0.5,
        unanimous_groups=0.0,
        order_disagreement=0.5,
        unscored=0.25,
        never_ended=0.25,
        second_score=pytest.approx(-2 / 3),
        judge_gap=pytest.approx((1.0 + 1.0 + 0.0) / 3),
        judge_agreement=pytest.approx(0.866, abs=1e-3),
    )


def test_what_a_step_cannot_tell_is_none_and_never_zero() -> None:
    """An average over nothing is unknown."""
    signs = signs_of(0, [[GradedAnswer(answer="plain")]]).as_dict()
    known = {name for name, found in signs.items() if found is not None}
    assert known == {"step", "answers", "length", "list_items", "headers", "bold", "unscored", "never_ended"}
    assert {name: found for name, found in signs_of(0, []).as_dict().items() if found is not None} == {
        "step": 0,
        "answers": 0,
    }


@settings(max_examples=30)
@given(st.lists(st.lists(st.builds(GradedAnswer, answer=st.text(max_size=60)), max_size=3), max_size=3))
def test_every_step_has_the_same_signs_whatever_the_policy_wrote(groups: list[Group]) -> None:
    signs = signs_of(1, groups).as_dict()
    assert tuple(signs) == ("step", *SIGNS)
    for share in ("repetition", "same_opening", "unscored", "never_ended"):
        found = signs[share]
        assert found is None or 0 <= found <= 1


def test_comments_and_lists_inside_code_are_not_style() -> None:
    code = "Run this:\n```python\n# a comment\n- x\n**kwargs**\n```\n# Then\ndone\n```sh\n# cut off"
    signs = signs_of(0, [[GradedAnswer(answer=code)]])
    assert (signs.headers, signs.list_items, signs.bold) == (1, 0, 0)


@pytest.mark.parametrize(
    ("words", "share"), [("a b c d", 0.0), ("a b c d a b c d", 1 / 5), ("x x x x x x", 2 / 3)]
)
def test_repetition_is_the_share_of_four_grams_said_before(words: str, share: float) -> None:
    assert repeated_share(words.split()) == pytest.approx(share)


def test_repetition_is_seen_in_a_script_without_spaces() -> None:
    texts = ["潮水每天涨落两次", "潮水涨潮水涨潮水涨潮水涨"]
    plain, looped = (signs_of(0, [[GradedAnswer(answer=text)]]).repetition for text in texts)
    assert plain == 0.0
    assert looped is not None
    assert looped > 0.5


def test_too_few_words_have_no_repetition() -> None:
    with pytest.raises(ValueError, match="3 words have no 4-gram"):
        repeated_share(["a", "b", "c"])


def test_the_order_of_groups_and_answers_does_not_matter() -> None:
    groups = honest_step(3)
    turned: Sequence[Group] = [group[::-1] for group in groups[::-1]]
    one, other = signs_of(1, groups).as_dict(), signs_of(1, turned).as_dict()
    assert one == pytest.approx(other)

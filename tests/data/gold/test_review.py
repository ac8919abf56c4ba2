import pytest
from tests.data.gold.gardens import a_draft, make_pair

from ralign.data.gold.review import Owed, Reason, review, review_draft

PAIR = make_pair("rose", "A")
GOOD = a_draft(PAIR, "Answer A names the season.", "A")


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (a_draft(PAIR, "Answer A names", None, finish_reason="length"), "cut_off"),
        (a_draft(PAIR, "Answer A names \\boxed{A}", "A", finish_reason="content_filter"), "cut_off"),
        (a_draft(PAIR, "Both are fine.", None), "unreadable"),
        (a_draft(PAIR, " … ", "A"), "no_reasons"),
        (a_draft(PAIR, "Answer B is freer.", "B"), "other_verdict"),
        (a_draft(PAIR, "The label says A, which names the season.", "A"), "label_leak"),
    ],
)
def test_each_fault_of_a_draft_is_named(draft, reason: Reason) -> None:
    rejection = review_draft(PAIR, draft)
    assert rejection is not None
    assert rejection.reason == reason
    assert rejection.detail


def test_a_draft_without_fault_is_taken() -> None:
    stands = review(PAIR, [GOOD], None, draws_limit=4)
    assert stands.gold is GOOD
    assert stands.owed is None


def test_words_of_an_answer_are_no_admission() -> None:
    pair = make_pair("rose", "A")
    quoting = a_draft(pair, "Answer A says: in late winter, before the buds open.", "A")
    assert review_draft(pair, quoting) is None


def test_the_next_draft_is_owed_until_the_draws_are_used_up() -> None:
    wrong = [a_draft(PAIR, "Answer B is freer.", "B", draw) for draw in range(2)]
    assert review(PAIR, [], None, draws_limit=2).owed == Owed("draft", 0)
    assert review(PAIR, wrong[:1], None, draws_limit=2).owed == Owed("draft", 1)
    stands = review(PAIR, wrong, None, draws_limit=2)
    assert (stands.gold, stands.owed) == (None, None)
    assert [rejection.draw for rejection in stands.rejections] == [0, 1]
    assert review(PAIR, wrong, None, draws_limit=3).owed == Owed("draft", 2)


def test_a_good_draft_owes_its_check_and_a_bad_one_none() -> None:
    wrong = a_draft(PAIR, "Answer B is freer.", "B")
    second = a_draft(PAIR, "Answer A names the season.", "A", 1)
    assert review(PAIR, [GOOD], {}, draws_limit=4).owed == Owed("check", 0)
    assert review(PAIR, [wrong], {}, draws_limit=4).owed == Owed("draft", 1)
    assert review(PAIR, [wrong, second], {}, draws_limit=4).owed == Owed("check", 1)


@pytest.mark.parametrize("verdict", ["B", None])
def test_a_check_that_is_not_led_to_the_label_has_the_draft_drawn_again(verdict) -> None:
    check = a_draft(PAIR, "The season is not there.", verdict)
    stands = review(PAIR, [GOOD], {0: check}, draws_limit=4)
    assert stands.owed == Owed("draft", 1)
    assert [rejection.reason for rejection in stands.rejections] == ["not_confirmed"]


def test_a_check_that_is_led_to_the_label_confirms() -> None:
    assert review(PAIR, [GOOD], {0: a_draft(PAIR, "It holds.", "A")}, draws_limit=4).gold is GOOD

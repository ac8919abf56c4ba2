"""The check that answers can be read: when it stops a run, and what it says."""

import pytest

from ralign.errors import UnreadableAnswers
from ralign.judging import BOXED, suggested_flag
from ralign.records import Judgment
from ralign.runs.unreadable import UnreadableCheck

READ = Judgment(pair_id="x", verdict="A")
UNREAD = Judgment(
    pair_id="x", text="So [[A>B]]", failure="parse", failure_reason="no_verdict", detail="no \\boxed verdict"
)
LOST = Judgment(pair_id="x", failure="call", failure_reason="no_reply", detail="503")


def seen(*records: Judgment) -> UnreadableCheck:
    check = UnreadableCheck("meta_judge", suggested_flag(BOXED))
    for record in records:
        check.see(record)
    return check


def test_twenty_answers_that_cannot_be_read_end_it_with_the_reasons_an_excerpt_and_the_flag() -> None:
    check = seen(
        *[UNREAD] * 17, *[LOST] * 9, Judgment(pair_id="x", failure="parse", failure_reason="cut_off")
    )
    check.see(UNREAD)
    with pytest.raises(UnreadableAnswers) as stopped:
        check.see(UNREAD)
    assert str(stopped.value) == (
        "20 of the last 20 meta-judge answers could not be read: no \\boxed verdict (19), cut off (1); one ends in "
        "'So [[A>B]]'; --verdict arena-hard would have read them, in another --out where the judge is to be asked for "
        "it. Nothing read is nothing measured: the run stops here; --keep-going goes on"
    )


def test_a_run_too_short_for_that_is_stopped_at_its_end_where_nothing_at_all_was_read() -> None:
    check = seen(*[UNREAD] * 3)
    check.end([UNREAD, UNREAD, READ])
    check.end([])
    with pytest.raises(UnreadableAnswers, match=r"3 of the last 3 meta-judge .* --verdict arena-hard would"):
        check.end([UNREAD] * 3)


def test_one_in_twenty_is_nearly_none_and_two_are_enough() -> None:
    with pytest.raises(UnreadableAnswers, match="19 of the last 20"):
        seen(READ, *[UNREAD] * 19)
    seen(READ, READ, *[UNREAD] * 18)


def test_a_judge_that_breaks_later_is_found_within_a_window() -> None:
    with pytest.raises(UnreadableAnswers, match="96 of the last 100"):
        seen(*[READ] * 64, *[UNREAD] * 100)


def test_calls_that_never_came_back_say_nothing_and_answers_in_the_wrong_field_do() -> None:
    seen(*[LOST] * 300)
    wrong = Judgment(pair_id="x", failure="call", failure_reason="wrong_field")
    with pytest.raises(UnreadableAnswers, match=r"wrong field \(20\)"):
        seen(*[wrong] * 20)


def test_answers_cut_off_want_more_tokens_and_no_other_format() -> None:
    cut = Judgment(
        pair_id="x",
        text="[[A>B]], that",
        failure="parse",
        failure_reason="cut_off",
        detail="cut off at the limit",
    )
    with pytest.raises(UnreadableAnswers, match="a higher limit of tokens") as stopped:
        seen(*[cut] * 20)
    assert "--verdict" not in str(stopped.value)

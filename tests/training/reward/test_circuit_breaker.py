import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.errors import InputError
from ralign.training.reward.circuit_breaker import Breaker, Limits

SMALL = Limits(threshold=0.5, window=6, minimum=4)


def after(outcomes, limits=SMALL):
    breaker = Breaker(limits=limits)
    for answered in outcomes:
        breaker = breaker.after(bool(answered))
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "phase"),
    [
        ([0, 0, 0], "closed"),  # fewer than the minimum
        ([0, 0, 0, 0], "open"),
        ([1, 1, 0, 0], "open"),  # the threshold itself
        ([1, 1, 1, 0, 0], "closed"),
        ([1, 1, 1, 1, 1, 1, 0, 0], "closed"),
        ([1, 1, 1, 1, 1, 1, 0, 0, 0], "open"),  # the first three have left the window
        ([1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0], "closed"),  # 30 % goes on
    ],
)
def test_it_opens_at_the_share_of_failures_among_the_last_and_never_on_too_few(outcomes, phase):
    assert after(outcomes).phase == phase


def test_an_answered_probe_closes_it_and_forgets_the_outage():
    breaker = after([0, 0, 0, 0]).probing()
    assert breaker.phase == "half_open"
    closed = breaker.probed(True)
    assert closed == Breaker(limits=SMALL)
    assert closed.after(False).phase == "closed"


def test_a_failed_probe_opens_it_again_and_is_counted():
    breaker = after([0, 0, 0, 0]).probing().probed(False).probing().probed(False)
    assert (breaker.phase, breaker.probes, breaker.failed) == ("open", 2, 4)


def test_stragglers_of_an_outage_change_nothing():
    opened = after([0, 0, 0, 0])
    assert opened.after(True) is opened
    assert opened.probing().after(True).phase == "half_open"


def test_only_an_open_one_is_probed_and_only_a_probe_has_an_outcome():
    with pytest.raises(ValueError, match="closed, only an open one"):
        Breaker().probing()
    with pytest.raises(ValueError, match="open, no probe is out"):
        after([0, 0, 0, 0]).probed(True)


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_open_exactly_if_some_window_so_far_held_enough_failures(outcomes):
    tripped = False
    for end in range(1, len(outcomes) + 1):
        window = outcomes[max(0, end - SMALL.window) : end]
        tripped |= len(window) >= SMALL.minimum and window.count(False) >= SMALL.threshold * len(window)
    breaker = after(outcomes)
    assert (breaker.phase == "open") == tripped
    assert len(breaker.recent) <= SMALL.window


@pytest.mark.parametrize(
    "limits", [{"threshold": 0}, {"threshold": 1.1}, {"minimum": 0}, {"minimum": 9, "window": 8}]
)
def test_limits_that_could_never_or_always_open_it_are_refused(limits):
    with pytest.raises(InputError, match="expected"):
        Limits(**limits)

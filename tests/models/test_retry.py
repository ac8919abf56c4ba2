import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from ralign.errors import InputError
from ralign.models.retry import RetryPolicy, read_retry_after

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"Retry-After": "Tue, 24 Nov 2026 12:00:07 GMT"}, 7.0),
        ({"Retry-After": "Tue, 24 Nov 2026 12:00:07 -0000"}, 7.0),
        ({"Retry-After": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "2"}, 2.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
    ],
)
def test_what_an_answer_asks_to_wait(headers, seconds):
    assert read_retry_after(CIMultiDict(headers), NOON) == seconds


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1000), st.integers())
def test_a_wait_lies_between_what_was_asked_for_and_the_backoff(failed_tries, retry_after, seed):
    retry = RetryPolicy(first_wait=0.5, longest_wait=30)
    wait = retry.wait(failed_tries, retry_after, random.Random(seed))
    if retry_after is None:
        assert 0 <= wait <= min(30, 0.5 * 2.0 ** min(failed_tries - 1, 100))
    else:
        assert retry_after <= wait <= retry_after + 1


def test_waits_are_spread():
    """Full jitter: calls that failed together do not come back together."""
    retry, jitter = RetryPolicy(), random.Random(0)
    waits = sorted(retry.wait(4, None, jitter) for _ in range(1000))
    assert waits[0] < 0.1
    assert waits[500] == pytest.approx(2, abs=0.3)
    assert 3.9 < waits[-1] <= 4


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(InputError, match="deadline is 0, expected more than 0"):
        RetryPolicy(deadline=0)

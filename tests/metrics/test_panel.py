"""What votes are worth together: worked by hand, and at the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralign.metrics.panel import panel_worth, vote_agreement


def test_members_that_err_together_are_worth_one() -> None:
    decided = [True, False, True, False]
    worth = panel_worth([True, True, False, False], [decided] * 5)
    assert worth is not None
    assert worth == (5, 4, pytest.approx(1.0), pytest.approx(1.0))


def test_members_that_err_apart_are_worth_their_number() -> None:
    generator = np.random.default_rng(3)
    reference = generator.random(20_000) < 0.5
    votes = reference ^ (generator.random((3, 20_000)) < 0.2)
    worth = panel_worth(reference.tolist(), votes.tolist())
    assert worth is not None
    assert worth.effective_votes == pytest.approx(3, abs=0.1)


def test_what_one_member_did_not_decide_counts_for_none() -> None:
    """Left are rows 0, 1, 3: errors 0 1 0 and 0 0 1 there, which correlate at -.5, and so count as apart."""
    worth = panel_worth([True] * 4, [[True, False, False, True], [True, True, None, False]])
    assert worth == (2, 3, 0.0, 2.0)


@pytest.mark.parametrize("votes", [[[True, True], [True, False]], [[None, None], [True, False]], []])
def test_without_two_members_whose_errors_vary_nothing_is_known(votes: list[list[bool | None]]) -> None:
    assert panel_worth([True, True], votes) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=2, max_size=30))
def test_a_panel_is_worth_between_one_and_its_number(rows: list[tuple[bool, bool, bool]]) -> None:
    reference, *votes = map(list, zip(*rows, strict=True))
    worth = panel_worth(reference, votes)
    assert worth is None or 1 <= worth.effective_votes <= 2


def test_votes_agree_pair_by_pair() -> None:
    """Three votes with one apart: 1 of 3 pairs; two that agree: 1 of 1; one that answered: none."""
    found = vote_agreement([[True, True, False], [False, False], [None, True]], ["a", "b", "c"])
    assert found is not None
    assert found.value == pytest.approx(2 / 4)
    assert vote_agreement([[True], [None, None]], ["a", "b"]) is None

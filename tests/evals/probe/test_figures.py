import numpy as np
import pytest
from scipy import stats

from ralign.evals.probe.figures import measure

NO = np.nan


def figures(**chances: object):
    """Two pairs in both orders; what is not given was not read."""
    given = {
        version: np.full((2, 2), NO)
        for version in ("own", "swap", "other", "truncate", "truncate_swap", "drop")
    }
    given |= {version: np.array(chance) for version, chance in chances.items() if version != "wrote_a"}
    wrote_a = np.array(chances.get("wrote_a", [[1, 1], [0, 0]]), dtype=float)
    return measure(given, wrote_a, np.arange(2))


def test_a_pair_weighs_one_however_many_of_its_judgments_could_be_read():
    """Pair 1: one of two verdicts changes; pair 2: its only one does. By hand: (0.5 + 1) / 2."""
    found = figures(own=[[0.9, 0.8], [0.1, NO]], swap=[[0.2, 0.6], [0.7, NO]])
    swap = found.moved["swap"]
    assert swap.judgments == 3
    assert swap.verdict_changed is not None
    assert swap.verdict_changed.value == pytest.approx(0.75)
    assert 0 < swap.verdict_changed.low < 0.75 < swap.verdict_changed.high <= 1


def test_pairs_of_one_prompt_are_one_unit_of_the_intervals():
    """Forty copies of two pairs, under the prompts of the two: no surer than the two alone."""
    own, swap = np.tile([[0.9], [0.1]], (40, 1)), np.tile([[0.2], [0.1]], (40, 1))
    given = dict.fromkeys(("own", "other", "truncate", "truncate_swap", "drop"), own) | {"swap": swap}
    wrote_a = np.tile([[1.0], [0.0]], (40, 1))
    apart, together = (measure(given, wrote_a, prompt) for prompt in (np.arange(80), np.arange(80) % 2))
    for figure in ("verdict_changed", "probability_lost"):
        one, other = (getattr(found.moved["swap"], figure) for found in (apart, together))
        assert one.value == pytest.approx(other.value)
        assert other.high - other.low > 3 * (one.high - one.low)


def test_with_one_judgment_a_prompt_a_share_has_wilsons_interval():
    found = figures(own=[[0.9, NO], [0.1, NO]], swap=[[0.2, NO], [0.1, NO]]).moved["swap"].verdict_changed
    assert found is not None
    theirs = stats.binomtest(1, 2).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_what_a_verdict_loses_is_counted_in_its_own_direction():
    """A: 0.9 to 0.2 loses 0.7; B: 1 - 0.1 to 1 - 0.7 loses 0.6; B: 0.8 to 0.9 gains 0.1."""
    found = figures(own=[[0.9, NO], [0.1, 0.2]], swap=[[0.2, NO], [0.7, 0.1]])
    lost = found.moved["swap"].probability_lost
    assert lost is not None
    assert lost.value == pytest.approx((0.7 + (0.6 - 0.1) / 2) / 2)


def test_the_swapped_half_is_held_against_the_half():
    found = figures(
        own=[[0.9, 0.9], [0.9, 0.9]], truncate=[[0.2, 0.2], [0.2, 0.2]], truncate_swap=[[0.2, 0.2]] * 2
    )
    changed = found.moved["truncate_swap"].verdict_changed
    assert changed is not None
    assert changed.value == 0
    assert found.moved["truncate"].verdict_changed.value == 1


def test_the_swap_is_held_against_another_pairs_rationale_where_both_were_read():
    found = figures(own=[[0.9, 0.9], [0.9, NO]], swap=[[0.1, 0.1], [0.1, NO]], other=[[0.1, 0.8], [NO, NO]])
    assert found.swap_above_other is not None
    assert found.swap_above_other.value == pytest.approx(0.5)


def test_how_often_the_likelier_letter_is_the_one_that_was_written():
    found = figures(own=[[0.9, 0.2], [0.1, 0.3]], wrote_a=[[1, 1], [0, NO]])
    assert found.as_written is not None
    assert found.as_written.value == pytest.approx((0.5 + 1) / 2)


def test_nothing_read_gives_no_figure():
    found = figures()
    assert found.moved["drop"] == (0, None, None)
    assert found.swap_above_other is None
    assert found.as_written is None


def test_exchanging_the_letters_of_the_whole_file_changes_nothing():
    rng = np.random.default_rng(3)
    chances = {
        version: rng.random((40, 2))
        for version in ("own", "swap", "other", "truncate", "truncate_swap", "drop")
    }
    wrote_a = (rng.random((40, 2)) > 0.5).astype(float)
    one = measure(chances, wrote_a, np.arange(40))
    other = measure(
        {version: 1 - chance for version, chance in chances.items()},
        1 - wrote_a,
        np.arange(40),
    )
    for version, moved in one.moved.items():
        assert other.moved[version].verdict_changed.value == pytest.approx(moved.verdict_changed.value)
        assert other.moved[version].probability_lost.value == pytest.approx(moved.probability_lost.value)

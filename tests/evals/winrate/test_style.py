import numpy as np
import pytest

from ralign.evals.winrate.style import length_difference, style_difference
from ralign.rewards.style import Style, style_of

MARKED = """# Garlic
Plant it **in October**, or __in November__.

1. Break the bulb.
2. Plant each clove.
   - Point up.
* Water.
Not 3. this, nor 2 * 3 * 4.

```
# a comment
- no item, **no bold**
```
"""


def styles(*lengths: int) -> list[Style]:
    return [Style(length, 0, 0, 0) for length in lengths]


def test_equal_lengths_are_zero_and_a_deviation_is_tanh_one() -> None:
    """Differences 2, -2, 0, 0: a deviation of sqrt 2, so 2 is tanh(sqrt 2)."""
    found = length_difference(styles(12, 10, 7, 7), styles(10, 12, 7, 7))
    np.testing.assert_allclose(found[:, 0], [np.tanh(2**0.5), -np.tanh(2**0.5), 0, 0])
    assert not length_difference(styles(5, 5), styles(5, 5)).any()


def test_answers_that_look_alike_are_zero_in_every_feature() -> None:
    alike = [style_of(MARKED), style_of("x")]
    assert not style_difference(alike, alike).any()


def test_style_is_the_difference_over_the_sum_in_deviations() -> None:
    """Lengths 30 and 10: 20 / 40 one way, then the other, a deviation of one half."""
    found = style_difference(styles(30, 10), styles(10, 30))
    np.testing.assert_allclose(found[:, 0], [1, -1])
    assert not found[:, 1:].any()
    more = [Style(10, 0, 5, 0), Style(10, 0, 0, 0)]
    found = style_difference(more, more[::-1])
    assert found[0, 2] == pytest.approx(1)
    assert found[1, 2] == pytest.approx(-1)

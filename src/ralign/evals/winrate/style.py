"""Style difference of two answers, as features of a controlled win rate. Pure.

What is counted is `ralign.rewards.style`.
"""

from collections.abc import Sequence

import numpy as np

from ralign.metrics.intervals import Floats
from ralign.rewards.style import Style


def length_difference(first: Sequence[Style], second: Sequence[Style]) -> Floats:
    """tanh(d / sd(d)), d = the first's length less the second's; (answers, 1), 0 where lengths are equal.

    The feature of AlpacaEval 2's length-controlled win rate (Dubois et al., arXiv 2404.04475, section 3): bounded, so
    that a few very long answers do not decide the fit.
    """
    difference = np.array(
        [[a.length - b.length] for a, b in zip(first, second, strict=True)], dtype=np.float64
    )
    return np.tanh(_scaled(difference))


def style_difference(first: Sequence[Style], second: Sequence[Style]) -> Floats:
    """Differences in length and in markdown per character; (answers, 4), 0 where two answers look alike.

    Arena-Hard's: (a - b) / (a + b) for lengths, (a - b) / (a + b + 1) for the densities of headers, list items and
    bold, each divided by its deviation. Theirs are also centred at the mean of all models' answers; ours are not, for
    zero has to mean "alike".
    """
    # Densities and not counts: a longer answer has more of everything, and length is a feature of its own.
    one, other = (np.array(styles, dtype=np.float64) for styles in (first, second))
    lengths = [np.maximum(styles[:, :1], 1.0) for styles in (one, other)]
    features = np.empty_like(one)
    features[:, :1] = (lengths[0] - lengths[1]) / (lengths[0] + lengths[1])
    densities = one[:, 1:] / lengths[0], other[:, 1:] / lengths[1]
    features[:, 1:] = (densities[0] - densities[1]) / (densities[0] + densities[1] + 1.0)
    return _scaled(features)


def _scaled(features: Floats) -> Floats:
    """Each column divided by its standard deviation; left alone where it does not vary."""
    deviation = features.std(axis=0)
    return features / np.where(deviation > 1e-12, deviation, 1.0)

"""Measuring a judge: pairs x judge x meta-judge -> a run directory -> results."""

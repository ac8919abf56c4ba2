"""The measures: L-Acc, S-Corr, F-Score, their intervals, paired tests and correlation. Pure functions on arrays."""

"""L-Acc, S-Corr, F-Score, their intervals, paired tests and correlation: pure functions on arrays."""

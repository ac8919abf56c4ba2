"""Downstream value of a policy: the paper's benchmarks (arXiv 2602.06763, section 5) as one row of a table."""

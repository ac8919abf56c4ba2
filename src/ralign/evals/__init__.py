"""What is measured: a judge, a policy, a judge's reliance on its rationale."""

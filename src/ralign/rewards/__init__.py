"""Rewards for reinforcement learning: pure functions of what judges and meta-judges said.

| module   | holds                                                                                       |
| -------- | ------------------------------------------------------------------------------------------- |
| `policy` | a policy's reward with a pairwise judge: against a reference answer, or within its own group |
"""

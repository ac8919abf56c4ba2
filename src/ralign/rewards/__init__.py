"""Rewards for reinforcement learning: pure functions of what judges and meta-judges said.

| module          | holds                                                                                       |
| --------------- | ------------------------------------------------------------------------------------------- |
| `judge`         | a judge's own reward: for its verdict alone, or for verdict and rationale                       |
| `policy`        | a policy's reward with a pairwise judge: against a reference answer, or within its own group |
| `length_penalty` | what an answer longer than its reference loses; fixed or steered                          |
| `style`         | length and markdown of an answer                                                             |
| `reward_hacking` | the signs, step by step, that a policy games its judge                                         |
| `stop_rules`    | bounds a user sets on those signs, and why to stop                                              |
"""

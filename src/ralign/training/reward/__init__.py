"""Reward in the loop: completions in, rewards out, with one cap on calls and one guard against outages.

| module              | holds                                                                             |
| ------------------- | --------------------------------------------------------------------------------- |
| `scored`            | `Completion` in, `ScoredBatch` out: the interface that engines call               |
| `judge_reward`      | a judge's reward: verdict and, where needed, meta-judgment                        |
| `meta_judge_reward` | a meta-judge's reward: the recorded decision                                      |
| `policy_reward`     | a policy's reward: a judge's comparison, or a reward service                      |
| `comparisons`       | the comparisons: with a reference answer, or within the group                     |
| `batched_calls`     | a batch of model calls: one cap, equal ones once, a deadline, outages waited out  |
| `outage`            | waiting or stopping while a model is down                                         |
| `circuit_breaker`   | the circuit breaker's states; pure                                                |
| `reward_metrics`    | metrics of a batch's rewards; pure                                                |
"""

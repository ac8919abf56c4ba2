"""The GenRM's training: thin adapters to the engines around `ralign.rewards`.

| module        | holds                                                                                      |
| ------------- | ------------------------------------------------------------------------------------------ |
| `reward_loop` | `GenRMReward`: completions in, rewards out, meta-judge calls in between                     |
| `asking`      | the meta-judge as a whole process asks it: one cap, equal questions once                    |
| `breaker`     | the circuit breaker's states; pure                                                         |
| `outage`      | what is done when it opens: pause or stop                                                  |
| `rates`       | how a batch's rewards came about, as numbers to log; pure                                  |
| `trl_reward`  | the reward as TRL's trainers call it                                                       |
"""

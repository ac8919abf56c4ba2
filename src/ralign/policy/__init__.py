"""A policy with a judge as its reward (the paper's section 4, RLHF): prompts in, a policy and how often it wins out.

| module        | holds                                                                                       |
| ------------- | ------------------------------------------------------------------------------------------- |
| `prompts`     | files of prompts -> `PolicyPrompt`                                                          |
| `answers`     | `ralign answers`: a model's answers to the prompts, to compare a policy's with              |
| `config`      | what `ralign policy` can be told                                                            |
| `examples`    | prompts with reference answers -> what the engine trains on                                 |
| `command`     | from a config to a run: checks, dry run, the run directory, the engine                      |
| `expected`    | what a run will take                                                                        |
| `grading`     | one answer, its grade, its reward; how a step looks as numbers to log; pure                 |
| `asking`      | a batch of questions to a judge: a cap, a deadline, an outage waited out                    |
| `contests`    | what an answer is compared with: a reference, its group, or what a service says             |
| `lengths`     | the length penalty of a run, and its state in checkpoints                                   |
| `reward`      | a batch of answers -> rewards                                                               |
| `open_reward` | the reward that a config asks for, opened                                                   |
| `trl_reward`  | the reward as TRL's trainers call it                                                        |
| `watch`       | beside each step: the length penalty steered, signs of a gamed judge, stop rules            |
| `signs_log`   | those signs on disk                                                                         |
| `greeting`    | a word with the judge or the service before anything is loaded                              |
| `trl_engine`  | TRL as the engine: `ralign train`'s loop with this reward                                   |
| `verl_engine` | verl as the engine, the reward a running service                                            |
| `model_card`  | what is said of the policy beside its weights                                               |
| `winrate`     | `ralign winrate`: two sets of answers to the same prompts, judged in both orders            |

Only `watch` and `trl_engine` import torch and its kin.
"""

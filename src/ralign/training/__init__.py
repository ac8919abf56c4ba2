"""Training (the paper's section 4): a judge, a meta-judge or a policy from a base model, with TRL or verl.

| module        | holds                                                                              |
| ------------- | ---------------------------------------------------------------------------------- |
| `options`     | the options that `ralign train` and `ralign policy` share                          |
| `config`      | each command's config, made of them                                                |
| `run`         | from a task to a run directory with a model in it, whichever engine trains         |
| `tasks`       | what is trained: examples, reward, forecast, model card                            |
| `reward`      | the reward in the loop, with one cap on calls and one guard against outages        |
| `engines`     | TRL and verl; only these import torch and its kin                                  |
| `examples`    | pairs -> prompts, with the gold judgment to imitate or be rewarded by              |
| `expected`    | forecast of a run                                                                  |
| `preflight`   | a first question to whoever rewards, before anything is loaded                     |
| `checkpoints` | which checkpoints are complete, and which one a run resumes from                   |
| `train_log`   | one line a step: metrics, and which pairs it was about                             |
| `model_card`  | README.md beside the weights                                                       |

The flow: `Task.load` reads data and prompts; `run_training` checks, forecasts or prepares the run directory; the engine
tokenizes, trains with the task's reward, and leaves a model; `run_training` publishes it with its card.
"""

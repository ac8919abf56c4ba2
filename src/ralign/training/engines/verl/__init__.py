"""verl on Ray as the training engine: PPO and GRPO. Nothing here imports verl but `check`.

| module   | holds                                                                            |
| -------- | -------------------------------------------------------------------------------- |
| `engine` | `train`: one run with verl, written, checked and launched                        |
| `config` | the options in verl's words                                                      |
| `files`  | where a run's files lie                                                          |
| `data`   | examples as verl's rows, and the pair of a row                                   |
| `launch` | the launch script, the check by the installed verl, the launch                   |
| `check`  | a program in verl's own environment: does verl take the configuration?           |
| `reward` | a judge's reward as verl's reward workers call it                                |
| `worker` | what such a worker holds: the meta-judge, the reward in the loop, the fallbacks  |
| `score`  | a sample's score and flags; the fallback's formula; pure                         |
| `log`    | what samples got, written by the workers, gathered into the training log         |
"""

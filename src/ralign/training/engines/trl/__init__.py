"""TRL as the training engine: SFT and GRPO.

| module      | holds                                                                    |
| ----------- | ------------------------------------------------------------------------ |
| `engine`    | `train`: one run with TRL                                                |
| `config`    | the options in TRL's words                                               |
| `reward`    | the task's reward as TRL's trainers call it                              |
| `trainers`  | TRL's trainers, told to note which rows they are about                   |
| `callbacks` | the log, the console, checkpoints marked complete, the watch on hacking  |
"""

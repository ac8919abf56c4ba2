"""Prompts -> the same prompts with a model's answers.

| module    | holds                                                                |
| --------- | -------------------------------------------------------------------- |
| `config`  | `AnswersConfig`: what `ralign answers` can be told                   |
| `answer`  | `Answer`, what can be wrong with one, and the model that writes it   |
| `log`     | the append-only log of a run's answers                               |
| `run`     | the loop, and the files it leaves                                    |
| `command` | from a config to a run, and what people read of it                   |
"""

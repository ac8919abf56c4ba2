"""Prompts -> the same prompts with a model's answers.

| module    | holds                                                                        |
| --------- | ---------------------------------------------------------------------------- |
| `config`  | `AnswersConfig`: the flags of `ralign answers`                               |
| `answer`  | `Answer`, why one cannot be compared with, and the calls that bring it       |
| `plan`    | `AnswersPlan`: what is owed to each prompt, and the files that come of it    |
| `command` | from the flags to a plan and its results                                     |
"""

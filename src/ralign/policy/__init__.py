"""A policy with a judge as its reward: prompts and reference answers in, a policy and how often it wins out.

| module    | holds                                                                                      |
| --------- | ------------------------------------------------------------------------------------------ |
| `prompts` | files of prompts -> `PolicyPrompt`                                                         |
| `answers` | `ralign answers`: a model's answers to the prompts, to compare a policy's with             |
| `winrate` | `ralign winrate`: two sets of answers to the same prompts, judged in both orders           |
"""

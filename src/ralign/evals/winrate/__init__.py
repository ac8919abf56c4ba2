"""Two sets of answers to the same prompts -> how often one wins, with its interval, length and style held equal.

| module        | holds                                                                       |
| ------------- | --------------------------------------------------------------------------- |
| `config`      | the flags                                                                   |
| `comparisons` | two files of answers -> the pairs to judge, and the prompts without answers |
| `plan`        | every pair in both orders, on `ralign.runs`                                 |
| `results`     | verdicts -> comparisons.jsonl and the figures                               |
| `control`     | win rates with intervals, and at equal length or style                      |
| `style`       | length, headers, lists and bold of an answer                                |
| `command`     | from the flags to a run, and what is printed of it                          |
"""

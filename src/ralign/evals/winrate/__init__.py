"""Two sets of answers to the same prompts -> how often one wins, with its interval, length and style held equal.

| module     | holds                                                                   |
| ---------- | ----------------------------------------------------------------------- |
| `config`   | `WinrateConfig`: what `ralign winrate` can be told                      |
| `contest`  | two files of answers -> the pairs to judge, and who did not turn up     |
| `control`  | win rates with intervals, and at equal length or style                  |
| `style`    | what an answer looks like: length, headers, lists, bold                 |
| `results`  | a tally -> comparisons.jsonl and results.json                           |
| `run`      | the judging, both orders, into a run directory                          |
| `command`  | from a config to a run, and what people read of it                      |
"""

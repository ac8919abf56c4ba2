"""A judge that grades single answers, for benchmarks that come with a rubric or yes-or-no questions.

| module    | holds                                                                   |
| --------- | ----------------------------------------------------------------------- |
| `item`    | files of prompts, what decides, and answers -> `RubricItem`              |
| `judge`   | `RubricItem` -> `Grade`: two prompts, one judge                          |
| `parse`   | a judge's answer -> yes or no, or a score                               |
| `log`     | `grades.jsonl`                                                          |
| `run`     | the loop, resumable, and its run directory                              |
| `results` | grades -> `results.json`                                                |
| `command` | `ralign rubric`: from a config to a run, and what people read of it     |
"""

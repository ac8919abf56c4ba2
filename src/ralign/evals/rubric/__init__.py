"""A judge that grades single answers, for benchmarks that come with a rubric or yes-or-no questions.

| module    | holds                                                      |
| --------- | ---------------------------------------------------------- |
| `config`  | the flags                                                  |
| `item`    | files of prompts, criteria, and answers -> `RubricItem`    |
| `judge`   | `RubricItem` -> `Grade`: two prompts, one judge            |
| `parse`   | a judge's answer -> yes or no, or a score                  |
| `plan`    | every item by every criterion, on `ralign.runs`            |
| `command` | from the flags to a run, and what is printed of it         |
"""

"""Downstream value of a policy: the paper's benchmarks (arXiv 2602.06763, section 5) as one row of a table.

| module                | holds                                                                              |
| --------------------- | ---------------------------------------------------------------------------------- |
| `benchmarks`          | the paper's eight, and which figure of a results file is theirs                    |
| `scores`              | a results file's figures, as records                                               |
| `results_files`       | files of four programs -> figures: lighteval, lm-eval, Inspect, our own runs       |
| `table`               | rows of the table, merged by model                                                 |
| `lighteval`           | the five benchmarks that lighteval runs, in the user's own environment             |
| `command`             | `ralign downstream`: from a config to the table                                    |
"""

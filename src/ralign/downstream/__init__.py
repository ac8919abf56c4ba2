"""What a policy is worth on the paper's benchmarks (arXiv 2602.06763, section 5), as one row of a table.

| module                | holds                                                                              |
| --------------------- | ---------------------------------------------------------------------------------- |
| `benchmarks`          | the paper's eight, and which figure of a results file is theirs                    |
| `results_files`       | files of four programs -> figures: lighteval, lm-eval, Inspect, our own runs       |
| `table`               | rows of the table, merged by model                                                 |
| `judge_measures`      | what `ralign bench` measured of the judge                                          |
| `lighteval`           | the five benchmarks that lighteval runs, in the user's own environment             |
| `command`             | `ralign downstream`: from a config to the table                                    |
| `rubric/`             | `ralign rubric`: a judge that grades single answers, for the benchmarks that need it |
"""

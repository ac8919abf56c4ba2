"""A resumable run of model calls: the one shape under bench, gold, answers, winrate, rubric and probe.

A command writes its *plan* (what it works on, what is still owed, what the answers come to) and nothing else:

| module        | holds                                                                                |
| ------------- | ------------------------------------------------------------------------------------ |
| `log`         | `Log`: an append-only file of records, each found again by its slot                  |
| `plan`        | `Plan`, `Role` (who is asked, in which words, where the answers go), `Call`          |
| `execute`     | the loop, `results.json`, exit codes                                                 |
| `batch`       | the other loop: calls handed in together, to a provider's batch API or in files      |
| `forecast`    | what a run will take, for `--dry-run`                                                |
| `progress`    | a bar on a terminal, a line now and then in a log file                               |
| `options`     | the flags that commands share, each declared once; `config.toml` and the fingerprint |

What is owed follows from the logs alone: nothing else is remembered between two starts. So resuming is loading the
logs, a dry run is `forecast` in place of `ask`, and complete means that nothing is owed. A batch has the same shape: a
role's calls say by `request` what to hand in, and their `read` makes the record of what comes back. Only what is out is
remembered beside the logs, because it is paid for.
"""

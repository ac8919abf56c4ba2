"""The toy environment: the whole method from scratch, every stage real, in minutes on two CPU cores.

In reading order: `judge_rl`, the method in one file; `vocabulary` and `world`, the synthetic language with exact ground
truth; `model`, `sft`, `demonstrations`, from random weights to a base judge; `meta_judge`, `probes`, `measure`, what a
judge is held to; `policy_rl`, what it does to a policy; `run` and `seeds`, the stages one after another; `page`, the
report.
"""

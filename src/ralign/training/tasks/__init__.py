"""Training tasks: what is trained, on which examples, rewarded how.

| module                  | holds                                                                              |
| ----------------------- | ---------------------------------------------------------------------------------- |
| `task`                  | `Task`: what a run and an engine know of any of them                               |
| `judge`                 | a judge: pairs, judge prompt; gold judgment, or the reward                          |
| `meta_judge`            | a meta-judge: a judge's recorded judgments; recorded answer, or its decision        |
| `meta_judge_examples`   | judgments and what was decided about them -> examples                              |
| `policy`                | a policy: prompts with reference answers; a judge's comparison                     |
| `reward_hacking_watch`  | beside each step of a policy: length penalty, signs of reward hacking, stop rules   |
"""

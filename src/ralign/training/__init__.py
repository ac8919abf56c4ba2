"""Training a judge (the paper's section 4): pairs with gold rationales and a start model -> a GenRM.

| module        | holds                                                                                       |
| ------------- | ------------------------------------------------------------------------------------------- |
| `config`      | what `ralign train` can be told                                                              |
| `examples`    | pairs -> prompts, with the gold judgment to imitate or to be rewarded by; for every engine   |
| `command`     | from a config to a run: checks, dry run, the run directory, one engine                      |
| `checkpoints` | which checkpoints are whole, and which one a run goes on from                                |
| `train_log`   | one line a step: losses, rates, and which pairs it was about                                 |
| `model_card`  | what is said of the model beside its weights                                                 |
| `trl_engine`  | supervised fine-tuning and GRPO with TRL                                                     |

Only the engines import torch.
"""

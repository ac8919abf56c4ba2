"""Training a judge (the paper's section 4): pairs with gold rationales and a start model -> a GenRM.

| module         | holds                                                                                     |
| -------------- | ----------------------------------------------------------------------------------------- |
| `config`       | what `ralign train` can be told                                                            |
| `examples`     | pairs -> prompts, with the gold judgment to imitate or be rewarded by; for every engine   |
| `command`      | from a config to a run: checks, dry run, the run directory, one engine                    |
| `expected`     | what a run will take                                                                      |
| `checkpoints`  | which checkpoints are whole, and which one a run goes on from                             |
| `train_log`    | one line a step: losses, rates, and which pairs it was about                              |
| `model_card`   | what is said of the model beside its weights                                              |
| `trl_engine`   | supervised fine-tuning and GRPO with TRL: the engine itself                               |
| `trl_config`   | the config in TRL's words                                                                 |
| `trl_trainers` | TRL's trainers, told to note which rows they are about                                    |
| `trl_callbacks` | the log, the console, the sealing of checkpoints                                         |
| `start_model`  | tokenizer, chat template, and what fits into the limits                                   |
| `open_reward`  | the reward that a config asks for, opened                                                 |
| `reward_loop`  | `GenRMReward`: completions in, rewards out, meta-judge calls in between                   |
| `asking`       | the meta-judge as a whole process asks it: one cap, equal questions once                  |
| `breaker`      | the circuit breaker's states; pure                                                        |
| `outage`       | what is done when it opens: pause or stop                                                 |
| `rates`        | how a batch's rewards came about, as numbers to log; pure                                 |
| `trl_reward`   | the reward as TRL's trainers call it                                                      |
| `verl_engine`  | PPO and GRPO with verl on Ray: the engine itself                                          |
| `verl_job`     | one run on verl: hyper-parameters, and where its files lie                                |
| `verl_config`  | a job in verl's words                                                                     |
| `verl_data`    | examples as verl's rows, and the pair of a row                                            |
| `verl_launch`  | a run written, checked and launched                                                       |
| `verl_check`   | a program in verl's own environment: does verl take the configuration?                    |
| `verl_reward`  | the reward as verl's reward workers call it                                               |
| `verl_worker`  | what such a worker holds: the meta-judge, the reward in the loop, the stand-ins           |
| `verl_score`   | a sample's score and flags; the stand-in's formula; pure                                  |
| `verl_log`     | what samples got, written by the workers, gathered into the training log                  |
| `roles`        | what each role is trained on: a judge, a meta-judge                                       |
| `meta_examples` | recorded judgments and what was said of them -> what a meta-judge learns from            |
| `decision_reward` | a meta-judge's reward, as TRL calls it                                                 |
| `fleet`        | a fleet of model servers, simulated; pure                                                 |
| `simulated_step` | a training step against a meta-judge fleet; pure                                        |
| `pair_cost`    | where the cost of a run goes; pure                                                        |

Only what has an engine's name, and `start_model`, imports torch and its kin.
"""

"""A judge as an HTTP service that rewards policies, for TRL, verl, OpenRLHF and anything else.

| module        | holds                                                                                    |
| ------------- | ---------------------------------------------------------------------------------------- |
| `config`      | `ServeConfig`: the options of `ralign serve`                                             |
| `schemas`     | requests and responses, as records                                                       |
| `service`     | `RewardService`: requests to judge calls to answers; knows nothing of HTTP               |
| `lengths`     | the length penalty of a running service                                                  |
| `openrlhf`    | OpenRLHF's own format to ours and back                                                   |
| `middleware`  | before every answer: token, a place in the queue, the body, the deadline                 |
| `metrics`     | what `/metrics` shows, and one request's timing                                          |
| `app`         | `create_app`: the web application for any judge                                          |
| `command`     | `run_serve`: from a config to a server that answers what it took before it ends          |
| `client`      | the other side: `HttpReward` for TRL, `compute_score` for verl                           |
| `reward_call` | one answer's reward, asked of a running service                                          |

All but `config`, `client` and `reward_call` need the extra `ralign[serve]`. The client runs where the training
runs, and needs only what ralign itself does.
"""

"""PreferencePair -> PreferencePair with a gold rationale.

| module       | holds                                                                                      |
| ------------ | ------------------------------------------------------------------------------------------ |
| `config`     | `GoldConfig`: the flags of `ralign gold`                                                   |
| `comments`   | what people said about a pair, as text for the writer                             (pure)   |
| `writer`     | the calls to the model that writes a draft and to the judge that tests it, their prompts   |
| `label_leak` | whether a rationale gives away that its writer was told the label                 (pure)   |
| `review`     | from a pair's drafts to its gold rationale, to the next call, or to giving it up  (pure)   |
| `plan`       | `GoldPlan`: what is owed to each pair, and the files that come of it                       |
| `command`    | from the flags to a plan and its results                                                   |
"""

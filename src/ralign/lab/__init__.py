"""The micro world: the whole method from scratch, every stage real, in minutes on two CPU cores.

`lexicon` the words, `tokenizer` text <-> ids, `world` the facts, questions, answers and pairs, `critics` who writes
the first judgments, `model` the transformer that is both judge and policy, `sft` its first training, `meta_judge`
and `judge` the two protocols that every other judge of ralign implements too, `run` the stages one after another.
"""

"""The toy environment's pairs as the records and the text that the rest of ralign works with, and back."""

import torch
from jaxtyping import Int
from torch import Tensor

from ralign.lab.tokenizer import CRITIQUE, QUESTION, read_answer, read_question, write_answer
from ralign.lab.vocabulary import DOMAINS, FIRST_VERDICT
from ralign.lab.world import Pairs
from ralign.records import Message, Order, PreferencePair, Verdict


def benchmark_name(split: str) -> str:
    """The name of a split in results."""
    # The draws of judgments hash this name (`judge`): another one, and no figure of docs/lab_results.md comes again.
    return f"micro-world-{split}"


def to_records(pairs: Pairs, split: str) -> list[PreferencePair]:
    """Write the pairs as records; their subset is what is asked for."""
    benchmark = benchmark_name(split)
    columns = zip(pairs.question, pairs.answer_a, pairs.answer_b, pairs.gold, pairs.domain, strict=True)
    return [
        PreferencePair(
            id=f"{split}-{number:05d}",
            conversation=(Message(role="user", content=QUESTION.write(question.tolist())),),
            response_a=write_answer(answer_a.tolist()),
            response_b=write_answer(answer_b.tolist()),
            label=verdict_of(int(gold[7])) or "A",
            gold_judgment=CRITIQUE.write(gold.tolist()),
            benchmark=benchmark,
            source={"benchmark": benchmark, "subset": DOMAINS[int(domain)]},
        )
        for number, (question, answer_a, answer_b, gold, domain) in enumerate(columns)
    ]


def shown_ids(pair: PreferencePair, order: Order) -> Int[Tensor, "1 22"]:
    """Question and both answers as a judge is shown them: 4 + 9 + 9 ids.

    Raises:
        InputError: the pair is not from the toy environment.
    """
    a, b = read_answer(pair.response_a), read_answer(pair.response_b)
    first, second = (a, b) if order == "ab" else (b, a)
    return torch.tensor([[*read_question(pair.conversation[-1].content), *first, *second]])


def verdict_of(word: int) -> Verdict | None:
    """The verdict that a judgment's last word is; None where it is another word."""
    verdicts: dict[int, Verdict] = {FIRST_VERDICT: "A", FIRST_VERDICT + 1: "B"}
    return verdicts.get(word)

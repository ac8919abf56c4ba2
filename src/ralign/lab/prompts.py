"""What the model reads before it writes: the judge's prompt and the policy's."""

import torch
from jaxtyping import Int
from torch import Tensor

from ralign.lab.lexicon import ANSWER, ANSWER_A, ANSWER_B, BECAUSE, ID, JUDGE


def judge_prompt(
    question: Int[Tensor, "n 4"], answer_a: Int[Tensor, "n 9"], answer_b: Int[Tensor, "n 9"]
) -> Int[Tensor, "n 26"]:
    """The question and both answers, ready for a judgment."""

    def sign(word: str) -> Tensor:
        return torch.full((len(question), 1), ID[word])

    parts = [sign(JUDGE), question, sign(ANSWER_A), answer_a, sign(ANSWER_B), answer_b, sign(BECAUSE)]
    return torch.cat(parts, dim=1)


def answer_prompt(question: Int[Tensor, "n 4"]) -> Int[Tensor, "n 5"]:
    """The question, ready for an answer."""
    return torch.cat([torch.full((len(question), 1), ID[ANSWER]), question], dim=1)

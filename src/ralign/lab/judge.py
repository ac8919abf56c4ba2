"""The toy environment's model as a judge like any other: records in, records out.

Calls that wait together are judged together.
"""

from types import TracebackType
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ralign.judging import call_seed, in_pair_letters
from ralign.lab.model import GPT
from ralign.lab.records import shown_ids, verdict_of
from ralign.lab.tokenizer import CRITIQUE, RATIONALE
from ralign.lab.vocabulary import ANSWER_LENGTH, CRITIQUE_LENGTH, QUESTION_LENGTH, WORDS
from ralign.lab.world import judge_prompt
from ralign.models.batching import Batcher
from ralign.records import Judgment, Order, PreferencePair, Usage


class _Call(NamedTuple):
    shown: Int[Tensor, "1 22"]
    noise: Float[Tensor, "1 1 8 vocabulary"]


class LabJudge:
    """Samples judgments from the model at temperature 1; an async context manager."""

    def __init__(self, model: GPT, *, name: str, seed: int = 0, batch: int = 256) -> None:
        """Take the model, what the judgments shall say they are from, and the most judgments written at a time."""
        self.name = name
        self._model = model
        self._seed = seed
        self._batcher = Batcher(self._write, max_size=batch, max_wait=0.001)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._batcher.close()

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Judge one pair. A judgment that does not end in a verdict has none, `failure="parse"`.

        Raises:
            InputError: the pair is not from the toy environment.
        """
        shown = shown_ids(pair, order)
        # The draws follow from the call alone, not from what else is in the batch: a run that was stopped and resumed
        # comes to the same judgments.
        seed = call_seed(self._seed, "judge", pair.benchmark, pair.id, order, draw)
        noise = torch.rand(1, 1, CRITIQUE_LENGTH, len(WORDS), generator=Generator().manual_seed(seed))
        critique = await self._batcher.submit(_Call(shown, noise))
        verdict = verdict_of(critique[-1])
        return Judgment(
            pair_id=pair.id,
            benchmark=pair.benchmark,
            order=order,
            draw=draw,
            text=CRITIQUE.write(critique),
            rationale=RATIONALE.write(critique[:-1]),
            verdict=in_pair_letters(verdict, order) if verdict else None,
            failure=None if verdict else "parse",
            detail=None if verdict else f"ends in {WORDS[critique[-1]]!r}, not in a verdict",
            model=self.name,
            finish_reason="stop",
            usage=Usage(prompt_tokens=shown.shape[1] + 4, completion_tokens=CRITIQUE_LENGTH),
        )

    def _write(self, calls: list[_Call]) -> list[list[int]]:
        shown = torch.cat([call.shown for call in calls])
        question, answer_a, answer_b = shown.split([QUESTION_LENGTH, ANSWER_LENGTH, ANSWER_LENGTH], dim=1)
        noise = torch.cat([call.noise for call in calls])
        drawn = self._model.sample(judge_prompt(question, answer_a, answer_b), noise)
        return drawn.words[:, 0].tolist()

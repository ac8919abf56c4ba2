"""TRL's two trainers, told to note which rows of the data each step was about, and to write no model card of their own.

Which pairs a step saw is the proof of a resumed run's data order, and what one looks up when a step goes wrong.
"""

import asyncio
import atexit
from typing import Any, cast

import torch
from torch import Tensor, nn
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_trainer import SFTTrainer
from trl.trainer.utils import shutdown_event_loop_in_daemon

from ralign.training.engines.trl.reward import TrlReward


class RowGRPO(GRPOTrainer):
    """GRPO that knows which rows its last steps were about."""

    def __init__(self, *, reward: TrlReward, **given: Any) -> None:
        """Take what GRPOTrainer takes, and the reward, which notes the rows."""
        super().__init__(reward_funcs=cast(Any, reward), **given)
        self._reward = reward

    def take_rows(self) -> list[int]:
        """Rows since it was last asked."""
        return self._reward.take_rows()

    def close(self) -> None:
        """End the event loop that rewards run in; TRL leaves it open until the process ends."""
        loop: asyncio.AbstractEventLoop = self.async_loop
        loop.call_soon_threadsafe(loop.stop)
        self.async_loop_thread.join()
        loop.close()
        # Which would find it closed.
        atexit.unregister(shutdown_event_loop_in_daemon)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Ours is written at the end."""


class RowSFT(SFTTrainer):
    """Supervised fine-tuning that knows which rows its last steps were about."""

    def __init__(self, **given: Any) -> None:
        """Take what SFTTrainer takes."""
        super().__init__(**given)
        self._rows: list[int] = []
        self.data_collator = _WithRows(self.data_collator)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One micro-batch; its rows are noted and kept from the model."""
        self._rows += inputs.pop("row").tolist()
        return super().training_step(model, inputs, num_items_in_batch)

    def take_rows(self) -> list[int]:
        """Rows since it was last asked."""
        rows, self._rows = self._rows, []
        return rows

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Ours is written at the end."""


class _WithRows:
    """A collator that keeps the column `row`."""

    def __init__(self, collator: Any) -> None:
        self._collator = collator

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch, and beside it `row`, shape (batch,)."""
        batch: dict[str, Any] = self._collator(examples)
        return batch | {"row": torch.tensor([example["row"] for example in examples])}

"""Training task: one of judge, meta-judge and policy, as the run and the engines see it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from ralign.errors import InputError
from ralign.models import LoadLocalModel, ModelSpec, Sampling
from ralign.models.model import Price, parse_prices
from ralign.thinking import read_syntaxes, retagged
from ralign.training.config import PolicyConfig, TrainConfig
from ralign.training.examples import Example, TrainingData
from ralign.training.options import RewardCalls, Stage, TrainingOptions
from ralign.training.reward.scored import BatchReward, Completion
from ralign.training.tasks.reward_hacking_watch import RewardHackingWatch


class Preflight(NamedTuple):
    """Model that is asked a first question before weights are loaded."""

    role: str
    spec: ModelSpec
    sampling: Sampling


class CardText(NamedTuple):
    """Words of a model card."""

    title: str
    tags: str
    intro: Sequence[str]
    """Paragraphs: what the model is, what it was trained on and rewarded for, how to measure it."""
    settings: Mapping[str, object]
    """Beside those that all tasks share."""


@dataclass(slots=True, kw_only=True)
class Task(ABC):
    """One training task: examples, reward, card. Loading it reads the data and no weights."""

    kind: ClassVar[str]
    """judge, meta-judge or policy."""
    command: ClassVar[str] = "train"
    reward_name: ClassVar[str]
    """Prefix of the reward's metrics in the log."""

    config: TrainConfig | PolicyConfig
    data: TrainingData
    digests: Mapping[str, str]
    """Of the prompts and the data, by their names in the fingerprint."""
    watch: RewardHackingWatch | None = field(default=None)
    """Sees every step's scored answers, and may end training; a policy alone has one."""

    @property
    def training(self) -> TrainingOptions:
        """The options that every task has."""
        return self.config.training

    @property
    def calls(self) -> RewardCalls:
        """Bounds on the reward's calls, over all processes."""
        return self.config.calls

    @property
    def stage(self) -> Stage:
        """sft or rl."""
        return self.config.stage if isinstance(self.config, TrainConfig) else "rl"

    def completion(
        self, example: Example, text: str, finish_reason: str | None, *, thought_opened: bool
    ) -> Completion:
        """A sampled text as the reward takes it."""
        return Completion(
            pair=example.pair,
            order=example.order,
            text=retagged(text, read_syntaxes("--thought-tags", self.training.thought_tags)),
            finish_reason=finish_reason,
            thought_opened=thought_opened,
            decision=example.decision,
        )

    @abstractmethod
    def open_reward(
        self, local_model: LoadLocalModel, *, processes: int, log: Callable[[str], object]
    ) -> AbstractAsyncContextManager[BatchReward]:
        """The reward of one of so many processes, opened in the event loop that it is used in.

        Raises:
            InputError: an address, a key, a prompt or a body that cannot be used.
        """

    @property
    def preflight(self) -> Sequence[Preflight]:
        """Models at an endpoint that the reward will ask; local ones are loaded by whoever asks them first."""
        return ()

    @property
    def service_url(self) -> str | None:
        """The reward service, where one rewards."""
        return None

    @abstractmethod
    def forecast(self, prices: Mapping[str, Price]) -> list[str]:
        """Lines of a dry run: what the run would take from its first step.

        Raises:
            InputError: there are fewer examples than one step takes.
        """

    @abstractmethod
    def card(self, *, trained_on: TrainingData) -> CardText:
        """Words of the model card."""

    @abstractmethod
    def how_to_measure(self, model: Path) -> str:
        """The next command, in one line."""

    @property
    def priced(self) -> Mapping[str, str | None]:
        """Models that --price may name, by their role."""
        return {}

    def prices(self) -> Mapping[str, Price]:
        """The prices given.

        Raises:
            InputError: one is of a model that is not asked.
        """
        prices = parse_prices(self.training.price)
        for model in prices:
            # A misspelt name would leave its calls without a price, and the forecast too cheap.
            if model not in self.priced.values():
                raise InputError(
                    f"--price names {model!r}, which is not {' or '.join(f'the {role}' for role in self.priced)}"
                )
        return prices

"""Options of `ralign serve`: one field a flag, the string under it its help, a TOML recipe the same names."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.runs.options import (
    AnswerRewardOptions,
    JudgeFlags,
    JudgeOptions,
    MetaJudgeFlags,
    MetaJudgeOptions,
    at_least_one,
)


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """A reward service: which judge, which meta-judge, how an answer is rewarded, where it listens."""

    judge: JudgeFlags = JudgeOptions()
    meta_judge: MetaJudgeFlags = MetaJudgeOptions()
    answer_reward: Annotated[AnswerRewardOptions, Parameter(name="*")] = AnswerRewardOptions()
    host: str = "127.0.0.1"
    """The address to listen on. Beyond loopback, clients must bring the token."""
    port: int = 8765
    """The port to listen on; 0 takes a free one."""
    token_variable: str = "RALIGN_SERVE_TOKEN"
    """The environment variable that holds the token clients must bring. Optional on loopback."""
    length_window: int = 256
    """Answers between two updates of a dynamic length penalty: set it to the batch size of the training."""
    policy_thinks: bool = False
    """The policy's chat template opens the thought, so that an answer without `</think>` has never ended it."""
    seed: int = 0
    """Random seed of every call and of the drawn sides."""
    concurrency: int = 64
    """Concurrent calls to one endpoint."""
    queue: int = 1024
    """Queue length: requests taken and not yet answered; one more is told to come back (429)."""
    deadline: float = 150.0
    """Request timeout in seconds, all retries included. OpenRLHF's client waits 180."""
    max_bytes: int = 4 * 1024 * 1024
    """Maximum request size, in bytes."""

    def __post_init__(self) -> None:
        """Refuse what cannot be served.

        Raises:
            InputError: naming the flag, what was found and what was expected.
        """
        if self.judge.judge is None:
            raise InputError("give --judge MODEL (and --judge-url URL, unless it is a local model)")
        at_least_one(
            length_window=self.length_window,
            concurrency=self.concurrency,
            queue=self.queue,
            max_bytes=self.max_bytes,
        )
        if not 0 < self.deadline < float("inf"):
            raise InputError(f"--deadline is {self.deadline}, expected more than 0")
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port is {self.port}, expected 0 to 65535")

    @property
    def beyond_loopback(self) -> bool:
        """Whether others than this machine may reach the address. A name that is not `localhost` counts as beyond."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            # A name may resolve to any address, and to another one tomorrow.
            return True

"""Options of `ralign serve`: one field a flag, the string under it its help, a TOML recipe the same names."""

import ipaddress
from dataclasses import dataclass
from typing import Literal

from ralign.errors import InputError
from ralign.runs.options import JudgeFlags, JudgeOptions, MetaJudgeFlags, MetaJudgeOptions, at_least_one


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """A reward service: which judge, which meta-judge, how an answer is rewarded, where it listens."""

    judge: JudgeFlags = JudgeOptions()
    meta_judge: MetaJudgeFlags = MetaJudgeOptions()
    host: str = "127.0.0.1"
    """The address to listen on. Beyond loopback, clients must bring the token."""
    port: int = 8765
    """The port to listen on; 0 takes a free one."""
    token_variable: str = "RALIGN_SERVE_TOKEN"
    """The environment variable that holds the token clients must bring. Optional on loopback."""
    # Not `rewards.policy.Side`: `ralign --help` would have to import more.
    side: Literal["both", "drawn"] = "both"
    """Show a policy's answer once each way (both), or once, on a side drawn by the prompt's id (drawn)."""
    length_penalty: Literal["none", "fixed", "dynamic"] = "none"
    """Length penalty of answers longer than their reference: none, --length-coefficient (fixed), or a coefficient
    that dual ascent moves so that the mean length stays near the references' (dynamic)."""
    length_coefficient: float = 0.1
    """Length-penalty coefficient: what an answer twice as long as its reference loses; a dynamic one starts here."""
    length_window: int = 256
    """Answers between two updates of a dynamic length penalty: set it to the batch size of the training."""
    format_penalty: float = 0.5
    """Format penalty, on top of a loss, of an answer that never ends. It is not judged."""
    policy_thinks: bool = False
    """The policy's chat template opens the thought, so that an answer without </think> has never ended it."""
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
        for name in ("length_coefficient", "format_penalty"):
            if not 0 <= (value := getattr(self, name)) < float("inf"):
                raise InputError(f"--{name.replace('_', '-')} is {value}, expected 0 or more")
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

"""What `ralign serve` can be told: one field a flag, the string under it its help, a TOML recipe the same names."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """A reward service: which judge, which meta-judge, how an answer is rewarded, where it listens."""

    judge: str
    """The judge's model name at --judge-url; without a URL, a local Hugging Face model (path or hub name)."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the judge's API key."""
    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judge (the paper: 0.4)."""
    judge_max_tokens: int | None = 8192
    """The most tokens a judgment may have, thinking included (the paper: 8,192)."""
    judge_body: str | None = None
    """More fields for the judge's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    meta_judge: str | None = None
    """The meta-judge's model name, as for --judge: /compare then says whether a right verdict is aligned."""
    meta_judge_url: str | None = None
    """The meta-judge's OpenAI-compatible endpoint. Default: --judge-url."""
    meta_judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the meta-judge's API key."""
    meta_prompt: Path | None = None
    """A file with your own meta-judge prompt. Default: ours."""
    meta_temperature: float | None = 0.4
    """Sampling temperature of the meta-judge (the paper: 0.4)."""
    meta_max_tokens: int | None = 16384
    """The most tokens a meta-judgment may have, thinking included (the paper: 16,384)."""
    meta_body: str | None = None
    """More fields for the meta-judge's requests, as a JSON object."""
    host: str = "127.0.0.1"
    """The address to listen on. Beyond loopback, clients must bring the token."""
    port: int = 8765
    """The port to listen on; 0 takes a free one."""
    token_variable: str = "RALIGN_SERVE_TOKEN"
    """The environment variable that holds the token clients must bring. Optional on loopback."""
    side: Literal["both", "drawn"] = "both"  # not `rewards.policy.Side`: --help would wait for aiohttp
    """Show a policy's answer once each way (both), or once, on a side drawn by the prompt's id (drawn)."""
    length_penalty: Literal["none", "fixed", "dynamic"] = "none"
    """What is taken off for answers longer than their reference: nothing, --length-coefficient, or a coefficient
    steered so that the mean length stays near the references'."""
    length_coefficient: float = 0.1
    """Taken off for an answer twice as long as its reference; where a dynamic one starts."""
    length_window: int = 256
    """Answers between two steps of a dynamic length penalty: set it to the batch size of the training."""
    format_penalty: float = 0.5
    """Taken off, on top of a loss, for an answer that never ends. It is not judged."""
    policy_thinks: bool = False
    """The policy's chat template opens the thought, so that an answer without </think> has never ended it."""
    seed: int = 0
    """Seeds every call and the drawn sides."""
    concurrency: int = 64
    """Calls in flight to one endpoint."""
    queue: int = 1024
    """Requests taken and not yet answered; one more is told to come back (429)."""
    deadline: float = 150.0
    """Seconds a request may take in all. OpenRLHF's client waits 180."""
    max_bytes: int = 4 * 1024 * 1024
    """The largest request taken, in bytes."""

    def __post_init__(self) -> None:
        """Refuse what cannot be served.

        Raises:
            InputError: naming the flag, what was found and what was expected.
        """
        if self.meta_judge_url is not None and self.meta_judge is None:
            raise InputError("--meta-judge-url needs --meta-judge MODEL")
        for flag, value in (
            ("length-window", self.length_window),
            ("concurrency", self.concurrency),
            ("queue", self.queue),
            ("max-bytes", self.max_bytes),
        ):
            if value < 1:
                raise InputError(f"--{flag} is {value}, expected 1 or more")
        for flag, number in (
            ("length-coefficient", self.length_coefficient),
            ("format-penalty", self.format_penalty),
        ):
            if not 0 <= number < float("inf"):
                raise InputError(f"--{flag} is {number}, expected 0 or more")
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
            return True

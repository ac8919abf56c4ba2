"""What `ralign policy` can be told: one field a flag, the string under it its help, a TOML recipe the same names.

Flags about the optimiser, sampling and saving are `ralign train`'s, by the same names: `training_settings` gives them
to the same engine.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from ralign.errors import InputError
from ralign.training.config import Engine, Report, TrainConfig

# Fields that say where, how fast or how often, not what is learned: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {
        "prompts", "out", "judge_url", "judge_prompt", "judge_key_variable", "reward_url", "token_variable",
        "second_judge_url", "second_judge_every", "stop_when", "concurrency", "deadline", "try_timeout", "on_outage",
        "outage_patience", "micro_batch", "gradient_checkpointing", "vllm", "vllm_url", "vllm_memory",
        "vllm_tensor_parallel", "nodes", "gpus_per_node", "reward_workers", "verl_python", "save_every",
        "keep_checkpoints", "report_to", "price", "expected_completion_tokens", "expected_judgment_tokens",
        "skip_bad_rows", "dry_run",
    }
)  # fmt: skip


@dataclass(frozen=True)
class PolicyConfig:
    """A policy's RLHF: from which model, on which prompts, judged by whom against what, and where it goes."""

    prompts: tuple[str, ...]
    """Prompt files with reference answers, as `ralign answers` writes them: paths, globs or hf://datasets/…"""
    _: KW_ONLY
    model: str
    """The start: a Hugging Face model with a chat template (path or hub name)."""
    out: Path
    """The run directory. The same command again goes on from its last whole checkpoint."""
    engine: Engine = "trl"
    """Whose training loop: TRL, on one machine; or verl on Ray, on one or many, with --reward-url (docs/cluster.md)."""
    judge: str | None = None
    """The judge's model name at --judge-url; without a URL, a local Hugging Face model (path or hub name)."""
    judge_url: str | None = None
    """The judge's OpenAI-compatible endpoint, for example http://localhost:8000/v1."""
    reward_url: str | None = None
    """Instead of a judge: a running `ralign serve`, whose flags then say how answers are rewarded."""
    token_variable: str = "RALIGN_SERVE_TOKEN"
    """The environment variable that holds the token for --reward-url; it may be unset."""
    against: Literal["reference", "group"] = "reference"
    """What an answer is compared with: the prompt's reference answer, or the other answers of its group."""
    reference_column: str = "reference_answer"
    """The column of the reference answers."""
    neighbours: int | None = None
    """--against group: compare each answer with so many of the next ones. Default: every pair of the group."""
    side: Literal["both", "drawn"] = "both"
    """Show a policy's answer once each way (both), or once, on a side drawn by the prompt's id (drawn)."""
    length_penalty: Literal["none", "fixed", "dynamic"] = "dynamic"
    """What is taken off for answers longer than their reference: nothing, --length-coefficient, or a coefficient
    steered step by step so that the mean length stays near the references' (the paper: dynamic)."""
    length_coefficient: float = 0.1
    """Taken off for an answer twice as long as its reference; where a dynamic one starts."""
    length_target: float = 1.0
    """The mean length that a dynamic penalty steers to, in mean lengths of the references."""
    format_penalty: float = 0.5
    """Taken off, on top of a loss, for an answer that never ends. It is not judged."""
    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours."""
    judge_temperature: float | None = 0.4
    """Sampling temperature of the judge (the paper: 0.4)."""
    judge_max_tokens: int | None = 8192
    """The most tokens a judgment may have, thinking included (the paper: 8,192)."""
    judge_body: str | None = None
    """More fields for the judge's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    judge_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the judge's API key."""
    second_judge: str | None = None
    """A judge that the policy does not train on, asked now and then: where the two drift apart, the policy is fitting
    the first. With --judge's prompt and sampling."""
    second_judge_url: str | None = None
    """The second judge's endpoint. Default: --judge-url."""
    second_judge_every: int = 10
    """Ask the second judge at every so many steps."""
    stop_when: tuple[str, ...] = ()
    """A rule on the signs of a gamed judge that stops training: 'length_ratio > 3 for 5'; repeat for several. The signs
    are in signs.jsonl."""
    concurrency: int = 256
    """Judge calls in flight."""
    deadline: float = 300.0
    """Seconds the judge may take for one step's answers; what is not there by then is not scored."""
    try_timeout: float = 120.0
    """Seconds one try of a judge call may take."""
    on_outage: Literal["pause", "stop"] = "pause"
    """What training does when the judge is down: wait and ask again, or stop."""
    outage_patience: float = 3600.0
    """Seconds it waits; then it stops."""
    thinking: Literal["on", "off"] | None = None
    """Whether the chat template is told to let the policy think (Qwen3). Default: as the template does by itself."""
    limit: int | None = None
    """Only the first so many prompts."""
    seed: int = 0
    """Seeds the order of the data, the sampling, the judge's calls and drawn sides, and new adapter weights."""
    steps: int | None = None
    """Optimiser steps. Default: --epochs over the prompts."""
    epochs: float = 1.0
    """How often each prompt is seen, where --steps is not given."""
    batch: int = 64
    """Prompts a step, over all GPUs."""
    group_size: int = 8
    """Answers a prompt, which are compared with each other by their rewards."""
    micro_batch: int = 1
    """Sequences a GPU works on at a time; the rest of a step is accumulated."""
    learning_rate: float | None = None
    """Default: 1e-6; ten times that with LoRA."""
    warmup_steps: int = 0
    """Steps over which the rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the rate does after that."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    clip_norm: float = 1.0
    """The longest gradient that is followed in full."""
    kl_coef: float = 0.0
    """Weight of the divergence from the start. 0 needs no second model in memory."""
    clip: float = 0.2
    """How far below 1 a token's probability ratio is followed."""
    clip_high: float | None = None
    """How far above 1. Default: as below."""
    temperature: float = 1.0
    """Sampling temperature of the answers that are learned from."""
    max_prompt_tokens: int = 4096
    """Longer prompts are left out and listed; nothing is cut."""
    max_completion_tokens: int = 4096
    """The most tokens an answer may have, thinking included; one that needs more never ended."""
    lora_rank: int = 0
    """Train low-rank adapters of this rank on all linear layers; 0 trains every weight."""
    lora_alpha: int | None = None
    """Scale of the adapters. Default: twice the rank."""
    weights: Literal["auto", "float32", "bfloat16"] = "auto"
    """How the weights are kept. auto: float32, but bfloat16 under adapters on a GPU. Computed in bfloat16 on a GPU."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a fifth more time."""
    vllm: Literal["colocate", "server"] | None = None
    """Sample with vLLM, on the training GPUs (colocate) or at --vllm-url (server, started by `trl vllm-serve`)."""
    vllm_url: str | None = None
    """The address of TRL's vLLM server."""
    vllm_memory: float = 0.3
    """The share of each GPU that a colocated vLLM takes."""
    vllm_tensor_parallel: int = 1
    """Over how many GPUs a colocated vLLM splits the model."""
    engine_option: tuple[str, ...] = ()
    """NAME=VALUE of the engine's own configuration (TRL: GRPOConfig; verl: its dotted Hydra names) that no flag here
    sets; repeat."""
    algorithm: Literal["grpo", "ppo"] = "grpo"
    """GRPO, or the paper's PPO, which learns a critic (verl only)."""
    critic_learning_rate: float = 1e-5
    """PPO: the critic's learning rate."""
    critic_warmup_steps: int = 10
    """PPO: steps in which only the critic learns; its head starts at random."""
    gae_lambda: float = 1.0
    """PPO: how far the advantage looks past the critic; 1 is all the way to the reward."""
    nodes: int = 1
    """verl: machines of the Ray cluster that train."""
    gpus_per_node: int = 8
    """verl: GPUs on each."""
    reward_workers: int = 8
    """verl: processes that ask for rewards."""
    verl_python: str | None = None
    """verl: the Python that it is installed for, ralign beside it. Default: the one that runs this."""
    save_every: int = 50
    """Steps between checkpoints."""
    keep_checkpoints: int = 2
    """Whole checkpoints that are kept."""
    report_to: Report = "none"
    """Where metrics go besides the console, train_log.jsonl and signs.jsonl."""
    price: tuple[str, ...] = ()
    """For --dry-run: MODEL=INPUT/OUTPUT in money per million tokens of a judge; repeat."""
    expected_completion_tokens: int = 800
    """For --dry-run: the tokens an answer of the policy is expected to have."""
    expected_judgment_tokens: int = 600
    """For --dry-run: the tokens a judgment is expected to have."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    dry_run: bool = False
    """Print steps, completions, calls, tokens and (with --price) money the run would take; load nothing."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.prompts:
            raise InputError("no prompts file given: ralign policy PROMPTS...")
        if (self.judge is None) == (self.reward_url is None):
            raise InputError("give either --judge MODEL (with --judge-url URL) or --reward-url URL")
        if self.judge_url is not None and self.judge is None:
            raise InputError("--judge-url needs --judge MODEL")
        if self.second_judge_url is not None and self.second_judge is None:
            raise InputError("--second-judge-url needs --second-judge MODEL")
        for flag, number in (
            ("length-coefficient", self.length_coefficient),
            ("format-penalty", self.format_penalty),
        ):
            if not 0 <= number < float("inf"):
                raise InputError(f"--{flag} is {number}, expected 0 or more")
        if not 0 < self.length_target < float("inf"):
            raise InputError(f"--length-target is {self.length_target}, expected more than 0")
        if self.second_judge_every < 1:
            raise InputError(f"--second-judge-every is {self.second_judge_every}, expected 1 or more")
        self._check_group()
        self._check_served()
        self._check_verl()
        self.training_settings()  # refuses what the engine would not take

    def _check_group(self) -> None:
        if self.against == "group":
            if self.length_penalty != "none":
                raise InputError(
                    f"--length-penalty is {self.length_penalty} with --against group, which has no reference to "
                    "measure lengths by; say none"
                )
            furthest = (self.group_size - 1) // 2
            if self.neighbours is not None and not 1 <= self.neighbours <= furthest:
                raise InputError(f"--neighbours is {self.neighbours}, expected 1 to {furthest} in this group")
        elif self.neighbours is not None:
            raise InputError("--neighbours is for --against group")

    def _check_served(self) -> None:
        if self.reward_url is None:
            return
        defaults = {field.name: field.default for field in fields(self)}
        serving = (
            "against",
            "side",
            "length_penalty",
            "length_coefficient",
            "length_target",
            "format_penalty",
        )
        for name in (*serving, "second_judge"):
            if getattr(self, name) != defaults[name]:
                raise InputError(
                    f"--{name.replace('_', '-')} is not for --reward-url: `ralign serve` says how answers are rewarded"
                )

    def _check_verl(self) -> None:
        if self.engine != "verl":
            return
        if self.reward_url is None:
            raise InputError(
                "--engine verl needs --reward-url: its rewards are asked for by processes of their own, so start "
                "`ralign serve` with the judge, and give its address"
            )
        if self.stop_when:
            raise InputError("--stop-when is for --engine trl: verl tells nobody of its steps")

    @property
    def calls_per_answer(self) -> float:
        """Judge calls that one answer costs, where every answer ends."""
        orders = 2 if self.side == "both" else 1
        if self.against == "reference":
            return orders
        return orders * (self.neighbours if self.neighbours is not None else (self.group_size - 1) / 2)

    def training_settings(self) -> TrainConfig:
        """What the engine has to know, in the words of `ralign train --stage rl`.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        ours = {field.name for field in fields(self)}
        shared = {
            field.name: getattr(self, field.name)
            for field in fields(TrainConfig)
            if field.name in ours and field.name != "judge_prompt"
        }
        return TrainConfig(pairs=self.prompts, stage="rl", reward="outcome", **shared)

    def identity(self, digests: Mapping[str, str]) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape the weights, and the digests of prompts."""
        named = {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}
        return {**named, **digests}

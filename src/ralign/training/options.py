"""Options that `ralign train` and `ralign policy` share: one field a flag, the string under it its help.

Each command's config (`ralign.training.config`) is made of these groups by composition, so that flags and recipe keys
stay flat. Engines take the groups as they are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ralign.errors import InputError
from ralign.runs.options import MetaJudgeOptions, at_least_one, flag, refuse_idle
from ralign.thinking import read_syntaxes

Stage = Literal["sft", "rl"]
Engine = Literal["trl", "verl"]
RewardName = Literal["outcome", "ralign", "hybrid", "points"]
Report = Literal["none", "trackio", "wandb", "tensorboard"]

# The clipping range of PPO's paper (Schulman et al., 2017), and the default of both engines.
DEFAULT_CLIP = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """Optimization, sampling, engine and checkpoints of one training run."""

    model: str
    """Base model: a Hugging Face model with a chat template (path or hub name), or a LoRA adapter, which is merged
    into its base and trained on from there."""
    out: Path
    """Run directory. The same command again resumes from its last complete checkpoint."""
    engine: Engine = "trl"
    """Training engine: TRL on one machine, or verl on Ray on one or many (rl, full weights; docs/cluster.md)."""
    thinking: Literal["on", "off"] | None = None
    """The chat template's enable_thinking (Qwen3). Default: the template's own."""
    thought_tags: tuple[str, ...] = ()
    """rl: tags around the trained model's thinking beside those that are known, opening and closing one with a space
    between: `'<scratchpad> </scratchpad>'`; repeat."""
    limit: int | None = None
    """So many rows of the data, drawn by a hash of their ids (pairs: from each benchmark in proportion)."""
    seed: int = 0
    """Random seed of data order, sampling, the judge's calls, drawn orders and new adapter weights."""
    steps: int | None = None
    """Training steps of --batch prompts each. Default: --epochs over the data."""
    epochs: float = 1.0
    """Epochs over the data, where --steps is not given."""
    batch: int = 64
    """Global batch size: prompts a training step, over all GPUs. In rl, one rollout."""
    mini_batch: int | None = None
    """rl: prompts an optimizer step: a rollout is used for batch / mini-batch of them, the ratio clipped by --clip.
    Default: --batch, one strictly on-policy update a rollout."""
    group_size: int = 8
    """rl: completions sampled per prompt; GRPO's group."""
    micro_batch: int = 1
    """TRL: sequences per forward pass on each GPU; gradients of the rest of a batch are accumulated."""
    learning_rate: float | None = None
    """Peak learning rate of AdamW. Default: 1e-5 (sft) or 1e-6 (rl); ten times that with LoRA."""
    warmup_steps: int = 0
    """Linear learning-rate warmup, in training steps."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Learning-rate schedule after the warmup."""
    weight_decay: float = 0.0
    """Weight decay of AdamW."""
    clip_norm: float = 1.0
    """Gradient-norm clipping threshold."""
    kl_coef: float = 0.0
    """rl: KL coefficient towards the base model. 0 needs no reference model in memory."""
    clip: float | None = None
    """rl, with --mini-batch: lower clipping range epsilon of the probability ratio. Default: 0.2."""
    clip_high: float | None = None
    """rl, with --mini-batch: upper clipping range (DAPO's clip-higher). Default: as --clip."""
    temperature: float = 1.0
    """rl: sampling temperature of the rollout."""
    max_prompt_tokens: int | None = None
    """Maximum prompt length in tokens. Longer prompts are left out and listed; nothing is truncated. Default: what the
    model can read, less --max-completion-tokens."""
    max_completion_tokens: int | None = None
    """Maximum completion length in tokens, thinking included. sft: longer targets are left out and listed. Default:
    what the model can read, less --max-prompt-tokens; without either, a third of it."""
    lora_rank: int = 0
    """LoRA rank of adapters on all linear layers; 0 trains the full weights."""
    lora_alpha: int | None = None
    """LoRA alpha. Default: twice the rank."""
    weights: Literal["auto", "float32", "bfloat16"] = "auto"
    """Dtype of the trained weights. auto: float32, or bfloat16 under adapters on a GPU; computed in bfloat16 there."""
    gradient_checkpointing: bool = False
    """Gradient (activation) checkpointing: less memory, about a fifth more time."""
    vllm: Literal["colocate", "server"] | None = None
    """TRL, rl: sample with vLLM on the training GPUs (colocate) or at --vllm-url (server, `trl vllm-serve`)."""
    vllm_url: str | None = None
    """TRL, rl: base URL of TRL's vLLM server."""
    vllm_memory: float = 0.3
    """rl: vLLM's GPU memory utilization, where it shares the training GPUs."""
    vllm_tensor_parallel: int = 1
    """rl: vLLM's tensor-parallel size."""
    engine_option: tuple[str, ...] = ()
    """NAME=VALUE of the engine's own configuration (TRL: SFTConfig, GRPOConfig; verl: its dotted Hydra names) that no
    flag here sets; repeat."""
    algorithm: Literal["grpo", "ppo"] = "grpo"
    """rl: GRPO, or the paper's PPO with a learned critic (verl only)."""
    critic_learning_rate: float = 1e-5
    """PPO: learning rate of the critic."""
    critic_warmup_steps: int = 10
    """PPO: critic warmup, the first steps in which only the critic learns; its head starts at random."""
    gae_lambda: float = 1.0
    """PPO: GAE lambda; 1 is the Monte Carlo return less the critic's value."""
    nodes: int = 1
    """verl: nodes of the Ray cluster that train."""
    gpus_per_node: int = 8
    """verl: GPUs per node."""
    reward_workers: int = 8
    """verl: reward worker processes; they share --concurrency."""
    verl_python: str | None = None
    """verl: Python interpreter of verl's environment, ralign beside it. Default: the one that runs this."""
    save_every: int = 50
    """Checkpoint interval in training steps."""
    keep_checkpoints: int = 2
    """Complete checkpoints to keep."""
    report_to: Report = "none"
    """Experiment tracker beside the console and train_log.jsonl."""
    price: tuple[str, ...] = ()
    """For --dry-run: MODEL=INPUT/OUTPUT in money per million tokens of a judge or meta-judge; repeat."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    dry_run: bool = False
    """Print steps, completions, calls, tokens and (with --price) money the run would take; load nothing."""

    # --gradient-checkpointing, vLLM's flags and the cluster's shape move the time and the memory, and the weights by
    # rounding at most: a run may be resumed on another machine.
    OPERATIONAL: ClassVar = frozenset(
        {
            "out", "micro_batch", "gradient_checkpointing", "vllm", "vllm_url", "vllm_memory", "vllm_tensor_parallel",
            "nodes", "gpus_per_node", "reward_workers", "verl_python", "save_every", "keep_checkpoints", "report_to",
            "price", "skip_bad_rows", "dry_run",
        }
    )  # fmt: skip

    def check(self, stage: Stage) -> None:
        """Refuse what no engine could run, or would run as if it had not been said.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        counts = (
            "limit", "steps", "batch", "mini_batch", "micro_batch", "max_prompt_tokens", "max_completion_tokens",
            "save_every", "keep_checkpoints", "nodes", "gpus_per_node", "reward_workers",
        )  # fmt: skip
        at_least_one(**{name: getattr(self, name) for name in counts})
        read_syntaxes("--thought-tags", self.thought_tags)
        if self.lora_rank < 0:
            raise InputError(f"--lora-rank is {self.lora_rank}, expected 0 (every weight) or more")
        if self.lora_alpha is not None and not self.lora_rank:
            raise InputError("--lora-alpha needs --lora-rank")
        if self.epochs <= 0:
            raise InputError(f"--epochs is {self.epochs}, expected more than 0")
        if self.vllm_url is not None and self.vllm != "server":
            raise InputError("--vllm-url needs --vllm server")
        rl, trl, verl = stage == "rl", self.engine == "trl", self.engine == "verl"
        refuse_idle(
            self,
            {
                "--stage rl": (
                    rl,
                    (
                        "group_size", "mini_batch", "clip", "clip_high", "kl_coef", "temperature", "algorithm", "vllm",
                        "thought_tags",
                    ),
                ),
                "--engine trl": (
                    trl,
                    ("micro_batch", "vllm", "vllm_url", "lora_rank", "lora_alpha", "weights"),
                ),
                "--engine verl": (verl, ("nodes", "gpus_per_node", "reward_workers", "verl_python")),
                "--algorithm ppo": (
                    self.algorithm == "ppo",
                    ("critic_learning_rate", "critic_warmup_steps", "gae_lambda"),
                ),
                "--vllm colocate, or --engine verl": (
                    self.vllm == "colocate" or verl,
                    ("vllm_memory", "vllm_tensor_parallel"),
                ),
            },
        )  # fmt: skip
        if stage == "rl":
            self._check_rl()

    def _check_rl(self) -> None:
        if self.algorithm == "ppo" and self.engine == "trl":
            raise InputError("--algorithm ppo needs --engine verl: TRL has no PPO trainer any more")
        # GRPO's advantage is the reward less the group's mean, which is 0 for a group of one; PPO has its critic.
        if self.group_size < (2 if self.algorithm == "grpo" else 1):
            raise InputError(
                f"--group-size is {self.group_size}, expected 2 or more: a completion is compared with its group"
            )
        if self.vllm == "server" and self.vllm_url is None:
            raise InputError("--vllm server needs --vllm-url, the address that `trl vllm-serve` listens on")
        if self.mini_batch is not None and self.batch % self.mini_batch:
            raise InputError(
                f"--mini-batch is {self.mini_batch}, expected a divisor of --batch, {self.batch}"
            )
        for name in ("clip", "clip_high"):
            value: float | None = getattr(self, name)
            if value is None:
                continue
            # With one update a rollout the policy that learns is the one that sampled: the ratio is 1 everywhere.
            if self.updates == 1:
                raise InputError(
                    f"{flag(name)} has no effect with one update a rollout, whose probability ratio is 1; give a "
                    "--mini-batch smaller than --batch, or leave it out"
                )
            if name == "clip" and not 0 <= value <= 1:
                raise InputError(f"--clip is {value}, expected 0 to 1")

    @property
    def context(self) -> int:
        """Longest prompt and completion together, in tokens; both are numbers by the time an engine asks."""
        assert self.max_prompt_tokens is not None
        assert self.max_completion_tokens is not None
        return self.max_prompt_tokens + self.max_completion_tokens

    @property
    def updates(self) -> int:
        """Optimizer steps a rollout is used for."""
        return self.batch // (self.mini_batch or self.batch)

    def rate(self, stage: Stage) -> float:
        """Learning rate after the warmup."""
        if self.learning_rate is not None:
            return self.learning_rate
        # Adapters start as a zero update: they take about ten times the rate of full weights.
        return (1e-5 if stage == "sft" else 1e-6) * (10 if self.lora_rank else 1)

    def sequences_a_step(self, stage: Stage) -> int:
        """Sequences of one training step, over all GPUs."""
        return self.batch * (self.group_size if stage == "rl" else 1)

    def steps_over(self, examples: int, stage: Stage) -> int:
        """Training steps over so many examples; rl takes whole steps only, as TRL leaves the rest of an epoch out.

        Raises:
            InputError: there are fewer examples than one step takes.
        """
        if examples < self.batch:
            raise InputError(
                f"{examples:,} prompts can be trained on, and a step takes {self.batch:,}; give a smaller --batch"
            )
        # After the check of the data: a run of given steps needs a full batch too.
        if self.steps is not None:
            return self.steps
        if stage == "rl":
            return max(1, int(examples // self.batch * self.epochs))
        # Rounded up: in sft the last step of an epoch takes what is left.
        return max(1, -int(-examples * self.epochs // self.batch))


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardCalls:
    """Calls of a judge, a meta-judge or a reward service during training, and what is done when it is down."""

    # Not `CallOptions`: a step asks about its whole rollout at once and all GPUs wait for the slowest answer, so that
    # many more calls are in flight than in a measurement, and none may take as long.
    concurrency: int = 512
    """rl: calls in flight, over all processes."""
    deadline: float = 300.0
    """rl: seconds that the calls of one step may take; what has no answer by then is not scored."""
    try_timeout: float = 120.0
    """rl: timeout of one try of a call, in seconds."""
    on_outage: Literal["pause", "stop"] = "pause"
    """rl: when the judge or meta-judge is down, wait and ask again, or stop."""
    outage_patience: float = 3600.0
    """rl: seconds to wait through an outage; then training stops."""

    OPERATIONAL: ClassVar = frozenset(
        {"concurrency", "deadline", "try_timeout", "on_outage", "outage_patience"}
    )

    def __post_init__(self) -> None:
        at_least_one(concurrency=self.concurrency)
        for name in ("deadline", "try_timeout", "outage_patience"):
            value: float = getattr(self, name)
            # Written so that NaN, which no comparison holds for, is refused too.
            if not value > 0:
                raise InputError(f"{flag(name)} is {value}, expected more than 0")


@dataclass(frozen=True, kw_only=True)
class JudgeRewardOptions(MetaJudgeOptions):
    """Reward of a judge in training, and its meta-judge."""

    reward: RewardName = "ralign"
    """rl: outcome is [right verdict]; ralign that times [aligned]; hybrid their weighted sum; points outcome plus
    the average precision over gold's decisive points."""
    reward_weight: float | None = None
    """rl: weight of the rationale in hybrid (default 0.5) and points (default 1)."""
    meta_judge: str | None = None
    """rl: model name of the meta-judge at --meta-judge-url; without a URL, a local Hugging Face model, or
    python:MODULE:NAME, a function of (pair, judgment, vote) that gives true, false, a text or a MetaJudgment."""
    meta_judge_url: str | None = None
    """rl: OpenAI-compatible endpoint of the meta-judge."""
    meta_votes: int = 1
    """rl: meta-judgments per judgment, majority vote; odd."""

    def check(self) -> None:
        """Refuse votes without a majority, and a weight that no formula has.

        Raises:
            InputError: naming the flag.
        """
        if self.meta_votes < 1 or self.meta_votes % 2 == 0:
            raise InputError(
                f"--meta-votes is {self.meta_votes}, expected an odd number so that there is a majority"
            )
        if self.reward_weight is not None and self.reward not in ("hybrid", "points"):
            raise InputError(f"--reward-weight is for hybrid and points, and --reward is {self.reward}")

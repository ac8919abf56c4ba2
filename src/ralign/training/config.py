"""What `ralign train` can be told: one field a flag, the string under it its help, a TOML recipe the same names.

Comes in: nothing. Goes out: a frozen config, and of it the part that makes two runs the same run (`identity`).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError

Stage = Literal["sft", "rl"]
Role = Literal["judge", "meta-judge"]
Engine = Literal["trl", "verl"]
RewardName = Literal["outcome", "ralign", "hybrid", "points"]
Orders = Literal["ab", "ba", "both", "drawn"]
Report = Literal["none", "trackio", "wandb", "tensorboard"]

# Fields that say where, how fast or how often, not what is learned: they may differ when a run is taken up again.
_OPERATIONAL = frozenset(
    {
        "pairs", "out", "judge_prompt", "meta_judge_url", "meta_prompt", "meta_judge_key_variable",
        "concurrency", "deadline", "try_timeout", "on_outage", "outage_patience", "micro_batch",
        "gradient_checkpointing", "vllm", "vllm_url", "vllm_memory", "vllm_tensor_parallel", "nodes",
        "gpus_per_node", "reward_workers", "serve_meta_judge", "meta_judge_gpus", "meta_judge_tensor_parallel",
        "unscored", "verl_python", "save_every", "keep_checkpoints", "report_to", "price",
        "expected_completion_tokens", "skip_bad_rows", "dry_run", "judged", "labels",
    }
)  # fmt: skip


@dataclass(frozen=True)
class TrainConfig:
    """A judge's training: from which model, on which pairs, rewarded for what, and where it goes."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    model: str
    """The start: a Hugging Face model with a chat template (path or hub name)."""
    out: Path
    """The run directory. The same command again goes on from its last whole checkpoint."""
    stage: Stage
    """sft: imitate the gold judgments (the warm start). rl: reinforcement learning on the model's own judgments."""
    role: Role = "judge"
    """What is trained: a judge of pairs, or a meta-judge of a judge's recorded rationales (see --judged)."""
    judged: Path | None = None
    """meta-judge: a run directory of `ralign bench` on these pairs. sft imitates its meta-judge's answers; rl is
    rewarded for deciding as it did."""
    labels: Path | None = None
    """meta-judge, rl: people's decisions on those judgments instead (JSONL with pair_id, order, draw, aligned)."""
    held_out: float = 0.1
    """meta-judge: the share of pairs, by a hash of their ids, to measure with: not learned from, put into held_out/."""
    balance: Literal["decision", "none"] = "decision"
    """meta-judge: as many aligned as misaligned examples, or all there are."""
    engine: Engine = "trl"
    """Whose training loop: TRL, on one machine; or verl on Ray, on one or many (rl, every weight; docs/cluster.md)."""
    orders: Orders = "ab"
    """How the answers are shown: as in the file (ab), swapped (ba), both, or one drawn by the pair's id. sft: ab."""
    judge_prompt: Path | None = None
    """A file with your own judge prompt. Default: ours, which `ralign bench` asks with too."""
    thinking: Literal["on", "off"] | None = None
    """Whether the chat template is told to let the model think (Qwen3). Default: as the template does by itself."""
    limit: int | None = None
    """Only the first so many pairs."""
    seed: int = 0
    """Seeds the order of the data, the sampling, and new adapter weights."""
    reward: RewardName = "ralign"
    """rl: outcome is [right verdict]; ralign that times [aligned]; hybrid their weighted sum; points outcome plus
    the average precision over gold's decisive points."""
    reward_weight: float | None = None
    """rl: what the rationale weighs in hybrid (default 0.5) and points (default 1)."""
    meta_judge: str | None = None
    """rl: the meta-judge's model name at --meta-judge-url; without a URL, a local Hugging Face model."""
    meta_judge_url: str | None = None
    """rl: the meta-judge's OpenAI-compatible endpoint."""
    meta_prompt: Path | None = None
    """rl, and meta-judge: a file with your own meta-judge prompt. Default: ours."""
    meta_temperature: float | None = 0.4
    """rl: sampling temperature of the meta-judge."""
    meta_max_tokens: int | None = 16384
    """rl: the most tokens a meta-judgment may have, thinking included."""
    meta_votes: int = 1
    """rl: meta-judgments a judgment; the majority counts. Odd, so that there is one."""
    meta_body: str | None = None
    """rl: more fields for the meta-judge's requests, as a JSON object: '{"reasoning_effort": "low"}'."""
    meta_judge_key_variable: str = "OPENAI_API_KEY"
    """rl: the environment variable that holds the meta-judge's API key."""
    concurrency: int = 512
    """rl: meta-judge calls in flight."""
    deadline: float = 300.0
    """rl: seconds the meta-judge may take for one step's judgments; what is not there by then is not scored."""
    try_timeout: float = 120.0
    """rl: seconds one try of a meta-judge call may take."""
    on_outage: Literal["pause", "stop"] = "pause"
    """rl: what training does when the meta-judge is down: wait and ask again, or stop."""
    outage_patience: float = 3600.0
    """rl: seconds it waits; then it stops."""
    steps: int | None = None
    """Optimiser steps. Default: --epochs over the pairs."""
    epochs: float = 1.0
    """How often each pair is seen, where --steps is not given."""
    batch: int = 64
    """Prompts a step, over all GPUs."""
    group_size: int = 8
    """rl: judgments a prompt, which are compared with each other."""
    micro_batch: int = 1
    """Sequences a GPU works on at a time; the rest of a step is accumulated."""
    learning_rate: float | None = None
    """Default: 1e-5 (sft) or 1e-6 (rl); ten times that with LoRA."""
    warmup_steps: int = 0
    """Steps over which the rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the rate does after that."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    clip_norm: float = 1.0
    """The longest gradient that is followed in full."""
    kl_coef: float = 0.0
    """rl: weight of the divergence from the start. 0 needs no second model in memory."""
    clip: float = 0.2
    """rl: how far below 1 a token's probability ratio is followed."""
    clip_high: float | None = None
    """rl: how far above 1. Default: as below."""
    temperature: float = 1.0
    """rl: sampling temperature of the judgments that are learned from."""
    max_prompt_tokens: int = 8192
    """Longer prompts are left out and listed; nothing is cut."""
    max_completion_tokens: int = 4096
    """The most tokens a judgment may have, thinking included. sft: longer gold judgments are left out and listed."""
    lora_rank: int = 0
    """Train low-rank adapters of this rank on all linear layers; 0 trains every weight."""
    lora_alpha: int | None = None
    """Scale of the adapters. Default: twice the rank."""
    weights: Literal["auto", "float32", "bfloat16"] = "auto"
    """How the weights are kept. auto: float32, but bfloat16 under adapters on a GPU. Computed in bfloat16 on a GPU."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a fifth more time."""
    vllm: Literal["colocate", "server"] | None = None
    """rl: sample with vLLM, on the training GPUs (colocate) or at --vllm-url (server, started by `trl vllm-serve`)."""
    vllm_url: str | None = None
    """rl: the address of TRL's vLLM server."""
    vllm_memory: float = 0.3
    """rl: the share of each GPU that a colocated vLLM takes."""
    vllm_tensor_parallel: int = 1
    """rl: over how many GPUs a colocated vLLM splits the model."""
    engine_option: tuple[str, ...] = ()
    """NAME=VALUE of the engine's own configuration (TRL: SFTConfig, GRPOConfig; verl: its dotted Hydra names) that no
    flag here sets; repeat."""
    algorithm: Literal["grpo", "ppo"] = "grpo"
    """rl: GRPO, or the paper's PPO, which learns a critic (verl only)."""
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
    """verl: processes that compute rewards; they share --concurrency."""
    serve_meta_judge: bool = False
    """verl: serve --meta-judge on GPUs of its own, besides those that train, instead of asking a URL."""
    meta_judge_gpus: int = 8
    """verl, with --serve-meta-judge: GPUs it gets, on one machine."""
    meta_judge_tensor_parallel: int = 4
    """verl, with --serve-meta-judge: over how many of them one copy is split."""
    unscored: Literal["stand_in", "leave_out"] = "stand_in"
    """verl: what becomes of a judgment whose meta-judge failed: a flagged stand-in score, or no part in the step."""
    verl_python: str | None = None
    """verl: the Python that it is installed for, ralign beside it. Default: the one that runs this."""
    save_every: int = 50
    """Steps between checkpoints."""
    keep_checkpoints: int = 2
    """Whole checkpoints that are kept."""
    report_to: Report = "none"
    """Where metrics go besides the console and train_log.jsonl."""
    price: tuple[str, ...] = ()
    """For --dry-run: MODEL=INPUT/OUTPUT in money per million tokens of the meta-judge."""
    expected_completion_tokens: int = 600
    """For --dry-run: the tokens a judgment, and a meta-judgment, is expected to have."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and list them, instead of stopping at the first."""
    dry_run: bool = False
    """Print steps, completions, calls, tokens and (with --price) money the run would take; load nothing."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.pairs:
            raise InputError("no pairs file given: ralign train PAIRS...")
        _at_least_one(self)
        if self.role == "judge":
            _check_judge(self)
        else:
            _check_meta_judge(self)
        if self.stage == "sft":
            self._check_sft()
        else:
            self._check_rl()
        if self.vllm_url is not None and self.vllm != "server":
            raise InputError("--vllm-url needs --vllm server")
        if not 0 <= self.clip <= 1:
            raise InputError(f"--clip is {self.clip}, expected 0 to 1")
        if self.epochs <= 0:
            raise InputError(f"--epochs is {self.epochs}, expected more than 0")

    def _check_sft(self) -> None:
        if self.orders != "ab":
            raise InputError(
                f"--orders is {self.orders} for --stage sft, expected ab: a gold judgment speaks in the letters of the "
                "pairs file, and letters in prose cannot be swapped safely; `ralign convert` places A and B at random"
            )
        if self.thinking == "on":
            raise InputError(
                "--thinking on with --stage sft: gold judgments hold no thought to imitate, as theirs was written with "
                "the label in sight; leave it out or say off"
            )
        if self.vllm is not None:
            raise InputError("--vllm samples, and --stage sft does not; leave it out")

    def _check_rl(self) -> None:
        if self.algorithm == "ppo" and self.engine == "trl":
            raise InputError("--algorithm ppo needs --engine verl: TRL has no PPO trainer any more")
        if self.group_size < (2 if self.algorithm == "grpo" else 1):
            raise InputError(
                f"--group-size is {self.group_size}, expected 2 or more: a judgment is compared with its group"
            )
        if self.needs_meta_judge and self.meta_judge is None:
            raise InputError(f"--reward {self.reward} needs --meta-judge MODEL (and --meta-judge-url URL)")
        if not self.needs_meta_judge and self.meta_judge is not None:
            raise InputError("--reward outcome asks no meta-judge; leave --meta-judge out")
        if self.meta_judge_url is not None and self.meta_judge is None:
            raise InputError("--meta-judge-url needs --meta-judge MODEL")
        if self.meta_votes < 1 or self.meta_votes % 2 == 0:
            raise InputError(
                f"--meta-votes is {self.meta_votes}, expected an odd number so that there is a majority"
            )
        if self.vllm == "server" and self.vllm_url is None:
            raise InputError("--vllm server needs --vllm-url, the address that `trl vllm-serve` listens on")
        if self.reward_weight is not None and self.reward not in ("hybrid", "points"):
            raise InputError(f"--reward-weight is for hybrid and points, and --reward is {self.reward}")

    @property
    def needs_meta_judge(self) -> bool:
        """Whether the reward looks at the rationale."""
        return self.role == "judge" and self.stage == "rl" and self.reward != "outcome"

    @property
    def rate(self) -> float:
        """The learning rate after the warm-up."""
        if self.learning_rate is not None:
            return self.learning_rate
        return (1e-5 if self.stage == "sft" else 1e-6) * (10 if self.lora_rank else 1)

    @property
    def sequences_a_step(self) -> int:
        """What is computed in one step, over all GPUs."""
        return self.batch * (self.group_size if self.stage == "rl" else 1)

    def steps_over(self, examples: int) -> int:
        """Optimiser steps over so many examples; rl takes whole steps only, as TRL leaves the rest of an epoch out.

        Raises:
            InputError: there are fewer examples than one step takes.
        """
        if examples < self.batch:
            raise InputError(
                f"{examples:,} prompts can be trained on, and a step takes {self.batch:,}; give a smaller --batch"
            )
        if self.steps is not None:
            return self.steps
        if self.stage == "rl":
            return max(1, int(examples // self.batch * self.epochs))
        return max(1, -int(-examples * self.epochs // self.batch))

    def identity(self, digests: Mapping[str, str]) -> dict[str, object]:
        """What makes two runs the same run: the fields that shape the weights, and the digests of prompts and pairs."""
        fields = {name: value for name, value in asdict(self).items() if name not in _OPERATIONAL}
        return {**fields, **digests}


def _check_judge(config: TrainConfig) -> None:
    for flag, value in (("judged", config.judged), ("labels", config.labels)):
        if value is not None:
            raise InputError(f"--{flag} is for --role meta-judge; leave it out")


def _check_meta_judge(config: TrainConfig) -> None:
    if config.judged is None:
        raise InputError("--role meta-judge needs --judged, a run directory of `ralign bench` on these pairs")
    if config.engine != "trl":
        raise InputError(f"--engine {config.engine} trains judges; leave it out for --role meta-judge")
    if config.labels is not None and config.stage == "sft":
        raise InputError("--labels hold decisions and no words to imitate: they are for --stage rl")
    if config.meta_judge is not None:
        raise InputError("--role meta-judge asks no meta-judge: it becomes one; leave --meta-judge out")
    if config.judge_prompt is not None:
        raise InputError(
            "--role meta-judge is trained on the meta-judge's prompt: give --meta-prompt instead"
        )
    if config.orders != "ab" or config.reward != "ralign":
        raise InputError(
            "--orders and --reward are a judge's; --role meta-judge takes the orders of --judged"
        )
    if not 0 <= config.held_out < 1:
        raise InputError(f"--held-out is {config.held_out}, expected 0 or more and less than 1")


def _at_least_one(config: TrainConfig) -> None:
    for flag, value in (
        ("limit", config.limit),
        ("steps", config.steps),
        ("batch", config.batch),
        ("micro-batch", config.micro_batch),
        ("max-prompt-tokens", config.max_prompt_tokens),
        ("max-completion-tokens", config.max_completion_tokens),
        ("concurrency", config.concurrency),
        ("save-every", config.save_every),
        ("keep-checkpoints", config.keep_checkpoints),
    ):
        if value is not None and value < 1:
            raise InputError(f"--{flag} is {value}, expected 1 or more")
    if config.lora_rank < 0:
        raise InputError(f"--lora-rank is {config.lora_rank}, expected 0 (every weight) or more")

"""One training run on verl: what is trained, with which hyper-parameters, and where its files lie. No verl in here.

The paper trains its judges with PPO (METHOD.md, "Training the GenRM") from Qwen3-8B and Qwen3-14B, and states no
further hyper-parameter of it: every number below is our choice, and no claim of the paper's. GRPO is what
`ralign train --engine trl` does, for comparison.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ralign.errors import InputError

Algorithm = Literal["ppo", "grpo"]
Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMetaJudge:
    """An open meta-judge that verl itself serves, on GPUs of its own, so that its calls overlap with the rollout."""

    model: str
    """Path or hub name; GPT-OSS-120B in the paper."""
    nodes: int = 1
    gpus_per_node: int = 8
    tensor_parallel: int = 4
    max_prompt_tokens: int = 16384
    """Conversation, two answers, gold rationale and judgment."""
    max_completion_tokens: int = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class VerlJob:
    """One training run on verl."""

    model: str
    """The start: path or hub name."""
    algorithm: Algorithm = "ppo"
    batch: int = 64
    """Prompts a step."""
    mini_batch: int | None = None
    """Prompts an optimiser step: batch / mini_batch of them use one rollout. None: the whole batch, on policy."""
    group_size: int = 1
    """Completions a prompt."""
    steps: int
    """Training steps."""
    epochs: int = 1
    """How often the data is gone through; enough of them for `steps`."""
    learning_rate: float = 1e-6
    critic_learning_rate: float = 1e-5
    critic_warmup_steps: int = 10
    """Steps in which only the critic learns: its head starts at random, and advantages from it would be noise."""
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    clip: float = 0.2
    clip_high: float | None = None
    gamma: float = 1.0
    """One reward at the end of one answer: nothing to discount."""
    gae_lambda: float = 1.0
    kl_coef: float = 0.001
    temperature: float = 1.0
    max_prompt_tokens: int = 8192
    max_completion_tokens: int = 8192
    """The authors' judges are measured with as many."""
    thinking: bool | None = None
    """What the chat template is told (Qwen3's `enable_thinking`); None: nothing."""
    gradient_checkpointing: bool = True
    offload: bool = True
    """Keep weights and optimiser states in CPU memory while others compute: actor, critic, reference and vLLM share
    the GPUs. Slower, and fits."""
    vllm_memory: float = 0.5
    vllm_tensor_parallel: int = 1
    nodes: int = 1
    gpus_per_node: int = 8
    reward_workers: int = 8
    """Processes that compute rewards, spread over the nodes."""
    save_every: int = 50
    keep_checkpoints: int = 2
    report_to: tuple[str, ...] = ()
    """Trackers besides the console, by verl's names."""
    served_meta_judge: ServedMetaJudge | None = None
    options: tuple[str, ...] = ()
    """NAME=VALUE by verl's dotted names, over all of the above."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what verl would train with and should not.

        Raises:
            InputError: naming the field, what was found and what to do.
        """
        if self.algorithm == "grpo" and self.group_size < 2:
            raise InputError(
                f"group_size is {self.group_size} for GRPO, expected 2 or more: a judgment is compared with its group"
            )
        if self.mini_batch is not None and (self.mini_batch < 1 or self.batch % self.mini_batch):
            raise InputError(
                f"mini_batch is {self.mini_batch}, expected a divisor of the batch, {self.batch}"
            )
        if (self.batch * self.group_size) % (self.nodes * self.gpus_per_node):
            raise InputError(
                f"a step has {self.batch} x {self.group_size} completions, expected a multiple of the "
                f"{self.nodes * self.gpus_per_node} GPUs"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerlFiles:
    """Where a run's files lie for all of its processes: absolute, and on several nodes in a folder they share."""

    out: Path
    """The run directory."""

    @property
    def folder(self) -> Path:
        """What is written for verl."""
        return self.out / "verl"

    @property
    def data(self) -> Path:
        """The rows that are trained on."""
        return self.folder / "train.parquet"

    @property
    def config(self) -> Path:
        """Our configuration, over verl's."""
        return self.folder / "config.yaml"

    @property
    def composed(self) -> Path:
        """Every key as verl will see it; written by the check."""
        return self.folder / "composed.yaml"

    @property
    def launch(self) -> Path:
        """The command."""
        return self.folder / "launch.sh"

    @property
    def meta_prompt(self) -> Path:
        """The meta-judge prompt, where the user brought one."""
        return self.folder / "meta_prompt.txt"

    @property
    def rewards(self) -> Path:
        """What every sample got, a file for each reward worker."""
        return self.folder / "rewards"

    @property
    def rollouts(self) -> Path:
        """`N.jsonl`: every completion of step N with its score and flags."""
        return self.folder / "rollouts"

    @property
    def checkpoints(self) -> Path:
        """verl's, of the older ones those that are kept."""
        return self.folder / "checkpoints"

    def model_of(self, step: int) -> Path:
        """The judge after a step, as transformers and vLLM load it."""
        return self.checkpoints / f"global_step_{step}" / "actor" / "huggingface"

"""Configs of `ralign train` and `ralign policy`: the options both share, and each command's own.

Comes in: flags, or a recipe's keys. Goes out: a frozen config that an engine can run, and of it the part that makes two
runs the same run (`ralign.runs.options.fingerprint`).
"""

from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from cyclopts import Parameter

from ralign.errors import InputError
from ralign.runs.options import (
    AnswerRewardOptions,
    JudgeFlags,
    JudgeOptions,
    JudgePromptFlags,
    JudgePromptOptions,
    MetaJudgeOptions,
    as_table,
    at_least_one,
    changed,
    flag,
    refuse_idle,
)
from ralign.training.options import JudgeRewardOptions, RewardCalls, Stage, TrainingOptions

Role = Literal["judge", "meta-judge"]
Orders = Literal["ab", "ba", "both", "drawn"]
Unscored = Literal["fallback", "leave_out"]
"""What becomes of a completion whose reward is not known, in an engine that wants a number for each."""


@dataclass(frozen=True)
class TrainConfig:
    """A judge's or a meta-judge's training: from which base model, on which pairs, rewarded for what."""

    pairs: tuple[str, ...]
    """Pairs files: paths, globs or hf://datasets/OWNER/NAME[@REVISION][/PATH], JSONL or Parquet."""
    _: KW_ONLY
    stage: Stage
    """sft: supervised fine-tuning on gold judgments (the warm start). rl: reinforcement learning."""
    training: Annotated[TrainingOptions, Parameter(name="*")]
    reward: Annotated[JudgeRewardOptions, Parameter(name="*")] = JudgeRewardOptions()
    calls: Annotated[RewardCalls, Parameter(name="*")] = RewardCalls()
    role: Role = "judge"
    """What is trained: a judge of pairs, or a meta-judge of a judge's recorded rationales (see --judged)."""
    judged: Path | None = None
    """meta-judge: a run directory of `ralign bench` on these pairs. sft imitates its meta-judge's answers; rl is
    rewarded for deciding as it did."""
    labels: Path | None = None
    """meta-judge, rl: people's decisions on those judgments instead (JSONL with pair_id, order, draw, aligned)."""
    held_out: float = 0.1
    """meta-judge: held-out share of pairs, by a hash of their ids; they are put into held_out/ to measure with."""
    balance: Literal["decision", "none"] = "decision"
    """meta-judge: class balance: as many aligned as misaligned examples, or all there are."""
    orders: Orders = "ab"
    """Order of the two answers: as in the file (ab), swapped (ba), both, or one drawn by the pair's id. sft: ab."""
    judge: JudgePromptFlags = JudgePromptOptions()
    serve_meta_judge: bool = False
    """verl: serve --meta-judge on GPUs of its own, besides those that train, instead of asking a URL."""
    meta_judge_gpus: int = 8
    """verl, with --serve-meta-judge: GPUs of the meta-judge, on one machine."""
    meta_judge_tensor_parallel: int = 4
    """verl, with --serve-meta-judge: tensor-parallel size of the meta-judge."""
    unscored: Unscored = "fallback"
    """verl: reward of a judgment whose meta-judge failed: a flagged fallback score, or left out of the step."""
    expected_completion_tokens: int = 600
    """For --dry-run: expected tokens of a judgment, and of a meta-judgment."""

    # Files stand in the fingerprint by the digest of what they hold: they may be moved.
    OPERATIONAL: ClassVar = frozenset(
        {
            "pairs", "judged", "labels", "serve_meta_judge", "meta_judge_gpus",
            "meta_judge_tensor_parallel", "unscored", "expected_completion_tokens",
        }
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.pairs:
            raise InputError("no pairs file given: ralign train PAIRS...")
        self.training.check(self.stage)
        self._refuse_idle()
        if self.role == "meta-judge":
            self._check_meta_judge()
        self.reward.check()
        if self.stage == "sft":
            if self.orders != "ab":
                raise InputError(
                    f"--orders is {self.orders} for --stage sft, expected ab: a gold judgment speaks in the letters of "
                    "the pairs file, and letters in prose cannot be swapped safely; `ralign convert` places A and B at "
                    "random"
                )
            if self.training.thinking == "on":
                raise InputError(
                    "--thinking on with --stage sft: gold judgments hold no thought to imitate, as theirs was written "
                    "with the label in sight; leave it out or say off"
                )
        elif self.needs_meta_judge and self.reward.meta_judge is None:
            raise InputError(
                f"--reward {self.reward.reward} needs --meta-judge MODEL (and --meta-judge-url URL)"
            )

    def _refuse_idle(self) -> None:
        asks, learns, verl = self.needs_meta_judge, self.role == "meta-judge", self.training.engine == "verl"
        of_meta_judge = {field.name for field in fields(MetaJudgeOptions)} | {"meta_votes"}
        refuse_idle(
            self,
            {
                "--role judge": (not learns, ("orders", "reward")),
                "--role meta-judge": (learns, ("judged", "labels", "held_out", "balance")),
                "--stage rl": (self.stage == "rl", ("reward", "labels")),
                # A meta-judge is trained on the very prompt that one is asked with.
                "a reward that asks a meta-judge, or --role meta-judge": (asks or learns, ("meta_prompt",)),
                "--stage rl with a reward that asks a meta-judge": (
                    asks,
                    (
                        *sorted(of_meta_judge - {"meta_prompt"}),
                        *(field.name for field in fields(RewardCalls)),
                    ),
                ),
                "--engine verl with a reward that asks a meta-judge": (
                    verl and asks,
                    ("serve_meta_judge", "unscored"),
                ),
                "--serve-meta-judge": (
                    self.serve_meta_judge,
                    ("meta_judge_gpus", "meta_judge_tensor_parallel"),
                ),
            },
        )

    def _check_meta_judge(self) -> None:
        if self.judged is None:
            raise InputError(
                "--role meta-judge needs --judged, a run directory of `ralign bench` on these pairs"
            )
        if self.training.engine != "trl":
            raise InputError(
                f"--engine {self.training.engine} trains judges; leave it out for --role meta-judge"
            )
        if self.judge.judge_prompt is not None:
            raise InputError(
                "--role meta-judge is trained on the meta-judge's prompt: give --meta-prompt instead"
            )
        if self.judge.verdict != "boxed":
            raise InputError("--verdict is a judge's; leave it out for --role meta-judge")
        if not 0 <= self.held_out < 1:
            raise InputError(f"--held-out is {self.held_out}, expected 0 or more and less than 1")

    @property
    def needs_meta_judge(self) -> bool:
        """Whether the reward looks at the rationale."""
        return self.role == "judge" and self.stage == "rl" and self.reward.reward != "outcome"


@dataclass(frozen=True, kw_only=True)
class PolicyRewardOptions(AnswerRewardOptions):
    """Reward of an answer in training, where its length is steered unless one says otherwise."""

    length_penalty: Literal["none", "fixed", "dynamic"] = "dynamic"
    """Length penalty on answers longer than their reference: none, --length-coefficient (fixed), or a coefficient
    steered step by step so that the mean length stays near the references' (the paper: dynamic)."""
    length_target: float = 1.0
    """Target mean length of a dynamic length penalty, in mean lengths of the references."""

    def __post_init__(self) -> None:
        AnswerRewardOptions.__post_init__(self)
        if not 0 < self.length_target < float("inf"):
            raise InputError(f"--length-target is {self.length_target}, expected more than 0")


@dataclass(frozen=True)
class PolicyConfig:
    """A policy's RLHF: from which base model, on which prompts, judged by whom against what."""

    prompts: tuple[str, ...]
    """Prompt files with reference answers, as `ralign answers` writes them: paths, globs or hf://datasets/…"""
    _: KW_ONLY
    training: Annotated[TrainingOptions, Parameter(name="*")]
    calls: Annotated[RewardCalls, Parameter(name="*")] = RewardCalls()
    judge: JudgeFlags = JudgeOptions()
    answer_reward: Annotated[PolicyRewardOptions, Parameter(name="*")] = PolicyRewardOptions()
    reward_url: str | None = None
    """Reward service in place of a judge: a running `ralign serve`, whose flags then say how answers are rewarded."""
    token_variable: str = "RALIGN_SERVE_TOKEN"
    """Environment variable that holds the token for --reward-url; it may be unset."""
    against: Literal["reference", "group"] = "reference"
    """What an answer is compared with: the prompt's reference answer, or the other answers of its group."""
    reference_column: str = "reference_answer"
    """Column of the reference answers."""
    neighbors: int | None = None
    """--against group: compare each answer with so many of the next ones. Default: every pair of the group."""
    second_judge: str | None = None
    """A judge that the policy does not train on, asked now and then: where the two drift apart, the policy is
    overoptimizing the first. With --judge's prompt and sampling."""
    second_judge_url: str | None = None
    """Endpoint of the second judge. Default: --judge-url."""
    second_judge_every: int = 10
    """Interval, in steps, at which the second judge is asked."""
    stop_when: tuple[str, ...] = ()
    """Early-stopping rule on the signs of reward hacking: 'length_ratio > 3 for 5'; repeat for several. The signs are
    in signs.jsonl."""
    expected_completion_tokens: int = 800
    """For --dry-run: expected tokens of an answer of the policy."""
    expected_judgment_tokens: int = 600
    """For --dry-run: expected tokens of a judgment."""

    # A stop rule ends a run and shapes none of its steps: with another one the same run goes on.
    OPERATIONAL: ClassVar = frozenset(
        {
            "prompts", "reward_url", "token_variable", "second_judge_url", "second_judge_every", "stop_when",
            "expected_completion_tokens", "expected_judgment_tokens",
        }
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: naming the flag, what was found and what to do.
        """
        if not self.prompts:
            raise InputError("no prompts file given: ralign policy PROMPTS...")
        if (self.judge.judge is None) == (self.reward_url is None):
            raise InputError("give either --judge MODEL (with --judge-url URL) or --reward-url URL")
        if self.second_judge_url is not None and self.second_judge is None:
            raise InputError("--second-judge-url needs --second-judge MODEL")
        at_least_one(second_judge_every=self.second_judge_every)
        if self.against == "group":
            penalty = self.answer_reward.length_penalty
            if penalty != "none":
                raise InputError(
                    f"--length-penalty is {penalty} with --against group, which has no reference to "
                    "measure lengths by; say none"
                )
            # The next answers go round the group: beyond half of it, a pair would be judged from both its ends.
            furthest = (self.training.group_size - 1) // 2
            if self.neighbors is not None and not 1 <= self.neighbors <= furthest:
                raise InputError(f"--neighbors is {self.neighbors}, expected 1 to {furthest} in this group")
        elif self.neighbors is not None:
            raise InputError("--neighbors is for --against group")
        if self.reward_url is not None:
            given = changed(self)
            for name in ("against", "second_judge", *as_table(self.answer_reward), *as_table(self.judge)):
                if name in given:
                    raise InputError(
                        f"{flag(name)} is not for --reward-url: `ralign serve` says how answers are rewarded"
                    )
        if self.training.engine == "verl":
            if self.reward_url is None:
                raise InputError(
                    "--engine verl needs --reward-url: its rewards are asked for by processes of their own, so start "
                    "`ralign serve` with the judge, and give its address"
                )
            if self.stop_when:
                raise InputError("--stop-when is for --engine trl: verl tells nobody of its steps")
        self.training.check("rl")

    @property
    def calls_per_answer(self) -> float:
        """Judge calls that one answer costs, where every answer ends."""
        orders = 2 if self.answer_reward.side == "both" else 1
        if self.against == "reference":
            return orders
        # One comparison serves two answers, so that each bears half of its cost.
        group = self.training.group_size
        return orders * (self.neighbors if self.neighbors is not None else (group - 1) / 2)

"""Where the cost of a training run goes: gold rationale, the judge's rollouts, its update, the meta-judge. Pure.

Comes in: the figures of a `TrainingStep`, and how gold is written. Goes out: expected calls, tokens and GPU time of
each stage for one pair. GPU time is that of servers whose slots are all taken, and so a floor.
"""

from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.simulated_fleet import Fleet
from benchmarks.simulated_step import TrainingStep

from ralign.models.price import Price

STAGES = ("gold", "judge", "update", "meta_judge")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldWriting:
    """How gold rationales come about, once a pair. The figures are ours."""

    drafts: float = 1.3
    """Drafts until one is taken; `ralign gold` says how many yours took."""
    prompt_tokens: int = 1_800
    """Instructions, conversation, both answers, the label and the comments."""
    draft_tokens: int = 1_200
    """Thinking included; what `ralign gold --dry-run` counts with too."""


class StageCost(NamedTuple):
    """What one stage takes for one pair."""

    calls: float
    prompt_tokens: float
    """Of all calls, cached or not."""
    new_prompt_tokens: float
    """Of these: what no prefix cache holds, and an engine has to read."""
    answer_tokens: float
    gpu_seconds: float | None
    """On your own machines; None where a provider's model is asked."""

    def money(self, price: Price) -> float:
        """At a price for all tokens alike, cached ones too."""
        return (self.prompt_tokens * price.input + self.answer_tokens * price.output) / 1_000_000


def pair_cost(
    step: TrainingStep, gold: GoldWriting, *, epochs: float = 1.0, trainer_gpus: int = 8
) -> dict[str, StageCost]:
    """What one pair takes, by stage.

    Args:
        step: lengths, group size, share of right verdicts, and the speed of the engines; one GPU a replica.
        gold: how its gold rationale is written.
        epochs: how often the pair is trained on.
        trainer_gpus: of which the update takes all.
    """
    completions = step.group_size * epochs
    written = completions * step.judgment.mean
    judge_prompt = completions * step.judge_prompt_tokens
    calls = completions * step.right_share * _tries(step)
    meta_answers = calls * step.meta_judgment.mean
    rationales = calls * step.judgment.mean
    shared = step.meta_prompt_tokens * epochs  # read once a group
    return {
        "gold": StageCost(
            gold.drafts,
            gold.drafts * gold.prompt_tokens,
            gold.drafts * gold.prompt_tokens,
            gold.drafts * gold.draft_tokens,
            None,
        ),
        "judge": StageCost(
            completions,
            judge_prompt,
            step.judge_prompt_tokens * epochs,
            written,
            _gpu_seconds(step.judge, step.judge_prompt_tokens * epochs, written),
        ),
        "update": StageCost(
            0.0, 0.0, 0.0, 0.0, trainer_gpus * step.update_seconds_per_token * (judge_prompt + written)
        ),
        "meta_judge": StageCost(
            calls,
            calls * step.meta_prompt_tokens + rationales,
            shared + rationales,
            meta_answers,
            _gpu_seconds(step.meta_judge, shared + rationales, meta_answers),
        ),
    }


def _tries(step: TrainingStep) -> float:
    """Expected tries of a call: 1 + f + f^2 + ... up to the limit."""
    return sum(step.failure_rate**k for k in range(step.patience.max_tries))


def _gpu_seconds(fleet: Fleet, prompt_tokens: float, answer_tokens: float) -> float:
    per_token = fleet.replicas / fleet.tokens_per_second()
    return answer_tokens * per_token + prompt_tokens * fleet.seconds_per_prompt_token

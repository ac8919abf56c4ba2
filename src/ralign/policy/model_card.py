"""`README.md` beside a policy's weights: what it was trained from, rewarded by, and how that went."""

from collections.abc import Mapping, Sequence

from ralign.policy.config import PolicyConfig
from ralign.training.model_card import LAST_STEPS
from ralign.training.train_log import Step, mean_metrics

_SETTINGS = (
    "batch", "group_size", "schedule", "warmup_steps", "kl_coef", "clip", "clip_high", "temperature",
    "max_prompt_tokens", "max_completion_tokens", "lora_rank", "thinking", "against", "side", "length_penalty",
    "length_coefficient", "length_target", "format_penalty", "seed",
)  # fmt: skip


def policy_card(
    config: PolicyConfig,
    *,
    prompts: int,
    left_out: int,
    steps: Sequence[Step],
    versions: Mapping[str, str],
) -> str:
    """The card, in the hub's format.

    Args:
        config: of the run.
        prompts: how many were trained on.
        left_out: how many were not.
        steps: the training log.
        versions: of the packages, by name.
    """
    compared = "its prompt's reference answer" if config.against == "reference" else "the others of its group"
    judge = f"the judge {config.judge}" if config.judge is not None else "a reward service (`ralign serve`)"
    settings: list[tuple[str, object]] = [
        ("steps", steps[-1].step if steps else 0),
        ("learning_rate", config.training_settings().rate),
    ]
    settings += [(name, getattr(config, name)) for name in _SETTINGS]
    figures = mean_metrics(steps, last=LAST_STEPS)
    return "\n".join(
        [
            "---",
            f"base_model: {config.model}",
            "library_name: transformers",
            "pipeline_tag: text-generation",
            "tags: [rlhf, llm-as-a-judge, ralign]",
            "---",
            "",
            "# A policy trained with ralign",
            "",
            f"Reinforcement learning ({config.algorithm.upper()}) from {config.model} on {prompts:,} prompts"
            f"{f'; {left_out:,} were left out' if left_out else ''}. Each answer was compared with {compared} by "
            f"{judge}. Method: R-Align, arXiv 2602.06763, section 4.",
            "",
            "The training reward is no measure of the policy: it rises when the judge is gamed as well. Measure it "
            "with `ralign winrate` by another judge, and with `ralign downstream`; `signs.jsonl` has what "
            "betrays gaming.",
            "",
            "## Settings",
            "",
            "Everything is in `config.toml`.",
            "",
            *_table("setting", "value", [(n, f"{v}") for n, v in settings if v is not None]),
            "",
            f"## How training went: means over the last {min(LAST_STEPS, len(steps))} steps",
            "",
            *_table("figure", "mean", [(name, f"{value:.4g}") for name, value in figures.items()]),
            "",
            "## Versions",
            "",
            *_table("package", "version", list(versions.items())),
            "",
        ]
    )


def _table(left: str, right: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"| {left} | {right} |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]

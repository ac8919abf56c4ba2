"""`README.md` beside the weights: what the model is, what it was trained on and rewarded for, and how that went."""

from collections.abc import Mapping, Sequence

from ralign.training.config import Role, TrainConfig
from ralign.training.train_log import Step, mean_metrics

LAST_STEPS = 50
"""Over how many of the last steps a card's figures are means."""

_REWARDS = {
    "outcome": "1 for the right verdict, else 0 (outcome-only)",
    "ralign": "1 for the right verdict with a rationale that rests on gold's decisive points, else 0 (R-Align)",
    "hybrid": "a weighted sum of the right verdict and the aligned rationale",
    "points": "the right verdict plus the average precision over gold's decisive points",
}
_WHAT: Mapping[Role, str] = {
    "judge": (
        "Compares two answers to a conversation: writes a rationale, then `\\boxed{A}` or `\\boxed{B}`. It expects "
        "ralign's judge prompt (`ralign bench --judge` asks with it)."
    ),
    "meta-judge": (
        "Says whether a judge's rationale rests on the decisive points of a gold rationale: names the points, then "
        "writes `VERDICT: Correct` or `VERDICT: Incorrect`. It expects ralign's meta-judge prompt (`ralign bench "
        "--meta-judge` and `ralign train --meta-judge` ask with it)."
    ),
}
_META_JUDGE_STAGES = {
    "sft": "Supervised fine-tuning on the recorded answers of a stronger meta-judge.",
    "rl": "Reinforcement learning (GRPO). Reward of an answer: 1 for the recorded decision, else 0.",
}
_SETTINGS = (
    "steps", "batch", "group_size", "learning_rate", "schedule", "warmup_steps", "kl_coef", "clip", "clip_high",
    "temperature", "max_prompt_tokens", "max_completion_tokens", "lora_rank", "thinking", "orders", "seed",
)  # fmt: skip


def model_card(
    config: TrainConfig,
    *,
    pairs: Sequence[str],
    examples: int,
    left_out: int,
    steps: Sequence[Step],
    versions: Mapping[str, str],
) -> str:
    """The card, in the hub's format.

    Args:
        config: of the run.
        pairs: the names of the files of pairs.
        examples: prompts that were trained on.
        left_out: pairs that were not.
        steps: the training log.
        versions: of the packages, by name.
    """
    settings = {
        "learning_rate": config.rate,
        "steps": steps[-1].step if steps else 0,
        "lora_rank": config.lora_rank or None,
    }
    rows = [(name, settings.get(name, getattr(config, name))) for name in _SETTINGS]
    judges = config.role == "judge"
    if not judges:
        how = _META_JUDGE_STAGES[config.stage]
    elif config.stage == "sft":
        how = "Supervised fine-tuning on gold judgments, as a warm start."
    else:
        how = f"Reinforcement learning ({config.algorithm.upper()}). Reward of a judgment: {_REWARDS[config.reward]}."
        if config.meta_judge is not None:
            how += f" Meta-judge in training: {config.meta_judge}."
    what = "pairs" if judges else "pairs or judgments"
    figures = mean_metrics(steps, last=LAST_STEPS)
    return "\n".join(
        [
            "---",
            f"base_model: {config.model}",
            "library_name: transformers",
            "pipeline_tag: text-generation",
            "tags: [generative-reward-model, llm-as-a-judge, ralign]",
            "---",
            "",
            f"# A {config.role} trained with ralign",
            "",
            _WHAT[config.role],
            "",
            *_ask_without_thinking(config),
            f"{how} From {config.model}, on {examples:,} prompts of {', '.join(pairs)}"
            f"{f'; {left_out:,} {what} were left out' if left_out else ''}. Method: R-Align, arXiv 2602.06763.",
            "",
            "How training went is no measure of the model: measure it with `ralign bench` on pairs it has not seen.",
            "",
            "## Settings",
            "",
            "Everything is in `config.toml`.",
            "",
            *_table(
                "setting", "value", [(name, f"{value}") for name, value in rows if value not in (None, "")]
            ),
            "",
            f"## How training went: means over the last {min(LAST_STEPS, len(steps))} steps",
            "",
            "Every step is in `train_log.jsonl`, with the rates at which rewards failed.",
            "",
            *_table("figure", "mean", [(name, f"{value:.4g}") for name, value in figures.items()]),
            "",
            "## Versions",
            "",
            *_table("package", "version", list(versions.items())),
            "",
        ]
    )


def _ask_without_thinking(config: TrainConfig) -> list[str]:
    if config.thinking != "off":
        return []
    flag = "--judge-body" if config.role == "judge" else "--meta-body"
    body = '{"chat_template_kwargs": {"enable_thinking": false}}'
    return [f"It was trained not to think first; at an endpoint, ask it so: `{flag} '{body}'`.", ""]


def _table(left: str, right: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"| {left} | {right} |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]

"""Model card: `README.md` beside the weights, with the task's words, the settings, and how training went."""

from collections.abc import Mapping, Sequence

from ralign.training.examples import TrainingData
from ralign.training.tasks.task import Task
from ralign.training.train_log import Step, mean_metrics

LAST_STEPS = 50
"""Steps at the end whose means a card shows."""

_SETTINGS = (
    "batch", "mini_batch", "group_size", "schedule", "warmup_steps", "kl_coef", "clip", "clip_high", "temperature",
    "max_prompt_tokens", "max_completion_tokens", "lora_rank", "thinking", "seed",
)  # fmt: skip


def model_card(
    task: Task, *, trained_on: TrainingData, steps: Sequence[Step], versions: Mapping[str, str]
) -> str:
    """The card, in the hub's format.

    Args:
        task: what was trained.
        trained_on: the task's data, without what was too long for the model.
        steps: the training log.
        versions: of the packages, by name.
    """
    text = task.card(trained_on=trained_on)
    training = task.training
    settings: dict[str, object] = {
        "steps": steps[-1].step if steps else 0,
        "learning_rate": training.rate(task.stage),
        **{name: getattr(training, name) for name in _SETTINGS},
        "lora_rank": training.lora_rank or None,
        **text.settings,
    }
    figures = mean_metrics(steps, last=LAST_STEPS)
    paragraphs = [line for paragraph in text.intro for line in (paragraph, "")]
    return "\n".join(
        [
            "---",
            f"base_model: {training.model}",
            "library_name: transformers",
            "pipeline_tag: text-generation",
            f"tags: {text.tags}",
            "---",
            "",
            f"# {text.title}",
            "",
            *paragraphs,
            "## Settings",
            "",
            "Everything is in `config.toml`.",
            "",
            *_table("setting", "value", {name: f"{v}" for name, v in settings.items() if v is not None}),
            "",
            f"## How training went: means over the last {min(LAST_STEPS, len(steps))} steps",
            "",
            "Every step is in `train_log.jsonl`, with the rates at which rewards failed.",
            "",
            *_table("figure", "mean", {name: f"{value:.4g}" for name, value in figures.items()}),
            "",
            "## Versions",
            "",
            *_table("package", "version", versions),
            "",
        ]
    )


def _table(left: str, right: str, rows: Mapping[str, str]) -> list[str]:
    return [
        f"| {left} | {right} |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]

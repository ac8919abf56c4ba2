"""Stands in for the Python that verl is installed for: takes any configuration, and trains by copying the start.

What it leaves behind is what verl 0.9.1 leaves: `global_step_N/actor/huggingface`, `latest_checkpointed_iteration.txt`,
and rewards computed by the function that the configuration names, once a row. Started as that Python would be.
"""

import asyncio
import importlib
import shutil
import sys
from pathlib import Path

import yaml

from ralign.files.parquet import read_rows


def main(arguments: list[str]) -> None:
    if "ralign.training.engines.verl.check" in arguments:
        Path(arguments[-1]).with_name("composed.yaml").write_text("{}")
        print("note: a stub")
        return
    assert arguments[:2] == ["-m", "verl.trainer.main_ppo"]
    folder = Path(arguments[arguments.index("--config-path") + 1])
    config = yaml.safe_load((folder / "config.yaml").read_text())
    if config["data"]["seed"] == 13:
        sys.exit("no GPU found")
    asyncio.run(rewards(config))
    steps = config["trainer"]["total_training_steps"]
    checkpoints = Path(config["trainer"]["default_local_dir"])
    shutil.copytree(
        config["actor_rollout_ref"]["model"]["path"],
        checkpoints / f"global_step_{steps}" / "actor" / "huggingface",
    )
    (checkpoints / "latest_checkpointed_iteration.txt").write_text(str(steps))


async def rewards(config: dict) -> None:
    function = config["reward"]["custom_reward_function"]
    module = importlib.import_module(function["path"].removeprefix("pkg://"))
    for _, row in read_rows(Path(config["data"]["train_files"]), "data"):
        truth = row["reward_model"]["ground_truth"]
        await getattr(module, function["name"])(
            data_source=row["data_source"],
            solution_str=f"\\boxed{{{truth}}}",
            ground_truth=truth,
            extra_info={**row["extra_info"], "max_global_steps": 3},
            **function["reward_kwargs"],
        )


if __name__ == "__main__":
    main(sys.argv[1:])

"""verl as the engine of `ralign policy`: PPO, as the paper has it, or GRPO, on Ray; `ralign serve` gives the reward.

Comes in: a run and its config. Goes out: in the run directory's folder `verl` the data, the configuration and the
launch command, checked by the installed verl; after a run that is not dry, the model of its last checkpoint. All but
the data and the reward's settings is `ralign train --engine verl`'s.

    row         prompt: messages; reward_model.ground_truth: the reference answer; extra_info: id, messages
    reward      `ralign.serving.client.compute_score`, one call of the service a sample
"""

import sys
from collections.abc import Collection, Iterator
from dataclasses import replace

from ralign.files import replacing, write_atomically
from ralign.files.parquet import write_rows
from ralign.files.rows import Row
from ralign.policy.command import Trained
from ralign.policy.config import PolicyConfig
from ralign.rewards.stop_rules import StopRules
from ralign.training.command import TrainingRun
from ralign.training.examples import TrainingData, list_left_out
from ralign.training.start_model import fitting, load_start
from ralign.training.verl_config import config_text
from ralign.training.verl_data import defused
from ralign.training.verl_engine import control_tokens, refuse_what_verl_cannot, take_model, verl_job
from ralign.training.verl_job import VerlFiles
from ralign.training.verl_launch import check_run, launch, write_launch

REWARD_MODULE = "pkg://ralign.serving.client"


def train_policy(run: TrainingRun, config: PolicyConfig, rules: StopRules) -> Trained | None:
    """Write the run for verl, let verl check it, and unless the run is dry, launch it.

    Returns:
        What was trained on; None after a dry run.

    Raises:
        InputError: a flag that verl has no use for, or what verl refuses.
        EngineFailed: verl ended with an error.
    """
    del rules  # refused by the config: verl tells nobody of its steps
    refuse_what_verl_cannot(run.config)
    start = load_start(run.config)
    fit = fitting(run.data.examples, start, run.config)
    for line in list_left_out(fit.left_out):
        run.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if start.thought_opened:
        said = "The policy's prompt opens its thought: start the service with `ralign serve --policy-thinks`."
        run.console.print(said, style="yellow", highlight=False, soft_wrap=True)
    data = replace(run.data, examples=fit.examples, left_out=run.data.left_out + fit.left_out)
    files = VerlFiles(out=config.out.resolve())
    python = config.verl_python or sys.executable
    job = verl_job(run.config, examples=len(data.examples))
    text = config_text(job, files, reward_kwargs(config), module=REWARD_MODULE)
    with replacing(files.data) as file:
        write_rows(file, policy_rows(data, control_tokens(start.tokenizer)))
    write_atomically(files.config, text.replace("ralign train", "ralign policy", 1).encode())
    write_launch(files, python=python)
    for note in check_run(files, python=python):
        run.console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    command = f"bash {files.launch}"
    if config.dry_run:
        run.console.print(f"verl takes it. To start: {command}", highlight=False, soft_wrap=True)
        return None
    run.console.print(command, highlight=False, soft_wrap=True)
    launch(files)
    take_model(run, files)
    return Trained(data, None)


def reward_kwargs(config: PolicyConfig) -> dict[str, object]:
    """What travels to verl's reward workers; the token itself does not, only the name of its variable."""
    return {"url": config.reward_url, "token_variable": config.token_variable, "deadline": config.deadline}


def policy_rows(data: TrainingData, controls: Collection[str] = ()) -> Iterator[Row]:
    """One row a prompt; see the module's table.

    Args:
        data: the prompts.
        controls: control tokens of the model's tokenizer, broken where a user spells one.
    """
    for index, example in enumerate(data.examples):
        turns = [{"role": turn.role, "content": turn.content} for turn in example.prompt]
        yield {
            "data_source": example.pair.benchmark,
            "prompt": [{**turn, "content": defused(turn["content"], controls)} for turn in turns],
            "reward_model": {"style": "rule", "ground_truth": example.pair.response_b},
            "extra_info": {"index": index, "id": example.pair.id, "messages": turns},
        }

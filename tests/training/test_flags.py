"""No flag without an effect: each flag of `train` and `policy`, through the command's own config, changes what an
engine or its reward is given.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.training.configs import policy_config, replaced, train_config
from tests.training.gardens import write_prompts
from tests.training.test_examples import pair

from ralign.files import encode, write_pairs
from ralign.judging import ChatJudge
from ralign.metajudging import ChatMetaJudge
from ralign.models import ScriptedModel
from ralign.records import Judgment, MetaJudgment
from ralign.rewards.length_penalty import SteeredLengthPenalty
from ralign.runs.options import as_table
from ralign.training.config import PolicyConfig, TrainConfig
from ralign.training.engines.trl.config import grpo_config, sft_config, weight_dtype
from ralign.training.engines.trl.engine import lora_config
from ralign.training.engines.verl.config import config_text
from ralign.training.engines.verl.engine import _reward_function, _served_meta_judge
from ralign.training.engines.verl.files import VerlFiles
from ralign.training.reward import judge_reward, policy_reward
from ralign.training.tasks.judge import JudgeTask
from ralign.training.tasks.meta_judge import MetaJudgeTask
from ralign.training.tasks.policy import PolicyTask

BASE = SimpleNamespace(template_kwargs={}, thought_opened=False)
JUDGED: dict[str, Any] = {"meta_judge": "m", "meta_judge_url": "http://m/v1"}
MINI: dict[str, Any] = JUDGED | {"mini_batch": 2}
SFT: dict[str, Any] = {"stage": "sft"}
VERL: dict[str, Any] = JUDGED | {"engine": "verl"}
PPO: dict[str, Any] = VERL | {"algorithm": "ppo"}
SERVED: dict[str, Any] = {"engine": "verl", "meta_judge": "m", "serve_meta_judge": True}
META: dict[str, Any] = SFT | {"role": "meta-judge", "judged": Path("judged")}

ABOUT_THE_RUN = {
    "out": "where the run is; `test_run` and every training test see it",
    "dry_run": "`test_run`: nothing is loaded",
    "price": "`test_expected`: of the forecast alone",
    "expected_completion_tokens": "`test_expected`: of the forecast alone",
    "expected_judgment_tokens": "`test_expected`: of the forecast alone",
    "skip_bad_rows": "`tests/files`: which rows are errors",
    "verl_python": "which interpreter starts verl: `engines/verl/test_engine`",
    "second_judge_every": "`tasks/test_policy`: at which steps it is asked",
    "stop_when": "`tasks/test_policy`: when training ends",
    "length_target": "`rewards/test_length_penalty`, `tasks/test_policy`: where the watch steers to",
    "token_variable": "the header of a session: `serving/test_client`",
}

# The flag, what it is for, and its other value.
TRAIN: dict[str, tuple[dict[str, Any], Any]] = {
    "pairs": (JUDGED, None), "stage": (JUDGED, None), "role": (META, None),
    "model": (VERL, "other"), "engine": (JUDGED, "verl"), "thinking": (VERL, "off"), "limit": (JUDGED, 6),
    "seed": (JUDGED, 3), "steps": (JUDGED, 7), "epochs": (JUDGED, 3.0), "batch": (JUDGED, 8),
    "mini_batch": (JUDGED, 2), "group_size": (JUDGED, 2), "micro_batch": (JUDGED, 2), "learning_rate": (JUDGED, 3e-3),
    "warmup_steps": (JUDGED, 3), "schedule": (JUDGED, "cosine"), "weight_decay": (JUDGED, 0.3),
    "clip_norm": (JUDGED, 0.3), "kl_coef": (JUDGED, 0.3), "clip": (MINI, 0.3), "clip_high": (MINI, 0.3),
    "temperature": (JUDGED, 0.3), "max_prompt_tokens": (VERL, 99), "max_completion_tokens": (JUDGED, 99),
    "lora_rank": (JUDGED, 3), "lora_alpha": (JUDGED | {"lora_rank": 3}, 5), "weights": (JUDGED, "bfloat16"),
    "gradient_checkpointing": (JUDGED, True), "vllm": (JUDGED, "colocate"),
    "vllm_url": (JUDGED | {"vllm": "server", "vllm_url": "http://x"}, "http://y"),
    "vllm_memory": (JUDGED | {"vllm": "colocate"}, 0.7), "vllm_tensor_parallel": (JUDGED | {"vllm": "colocate"}, 2),
    "engine_option": (JUDGED, ("top_k=5",)), "algorithm": (VERL, "ppo"), "critic_learning_rate": (PPO, 0.3),
    "critic_warmup_steps": (PPO, 3), "gae_lambda": (PPO, 0.3), "nodes": (VERL, 2), "gpus_per_node": (VERL, 4),
    "reward_workers": (VERL, 3), "save_every": (JUDGED, 3), "keep_checkpoints": (VERL, 3),
    "report_to": (VERL, "wandb"), "concurrency": (JUDGED, 3), "deadline": (JUDGED, 3.0), "try_timeout": (JUDGED, 3.0),
    "on_outage": (JUDGED, "stop"), "outage_patience": (JUDGED, 3.0), "reward": (JUDGED, "hybrid"),
    "reward_weight": (JUDGED | {"reward": "hybrid"}, 0.3), "meta_judge": (JUDGED, "n"),
    "meta_judge_url": (JUDGED, "http://n/v1"), "meta_prompt": (JUDGED, Path("prompt.txt")),
    "meta_temperature": (JUDGED, 0.9), "meta_max_tokens": (JUDGED, 99), "meta_votes": (JUDGED, 3),
    "thought_tags": (VERL, ("<a> </a>",)), "meta_judge_header": (JUDGED, ("key=KEY",)),
    "meta_judge_thought_tags": (JUDGED, ("<a> </a>",)),
    "meta_body": (JUDGED, "{}"), "meta_judge_key_variable": (JUDGED, "KEY"), "judged": (META, Path("judged-too")),
    "labels": (META | {"stage": "rl"}, Path("labels.jsonl")), "held_out": (META, 0.3), "balance": (META, "none"),
    "orders": (JUDGED, "ba"), "judge_prompt": (JUDGED, Path("judge.txt")), "verdict": (JUDGED, "mt-bench"),
    "serve_meta_judge": ({"engine": "verl", "meta_judge": "m"}, True), "meta_judge_gpus": (SERVED, 3),
    "meta_judge_tensor_parallel": (SERVED, 3), "unscored": (VERL, "leave_out"),
}  # fmt: skip
SECOND: dict[str, Any] = {"judge": "j", "judge_url": "http://j/v1", "second_judge": "k"}
J: dict[str, Any] = {"judge": "j", "judge_url": "http://j/v1"}
GROUP: dict[str, Any] = J | {"against": "group", "length_penalty": "none"}
POLICY: dict[str, tuple[dict[str, Any], Any]] = {
    "prompts": (J, None), "judge": (J, "other"), "judge_url": (J, "http://n/v1"),
    "reward_url": ({"reward_url": "http://r"}, "http://s"), "against": (J | {"length_penalty": "none"}, "group"),
    "reference_column": (J, "another"), "neighbors": (GROUP, 1), "side": (J, "drawn"),
    "length_penalty": (J, "none"), "length_coefficient": (J, 0.3), "format_penalty": (J, 0.3),
    "judge_prompt": (J, Path("judge.txt")), "verdict": (J, "json"), "judge_temperature": (J, 0.9),
    "judge_max_tokens": (J, 99), "judge_body": (J, "{}"), "judge_key_variable": (J, "KEY"),
    "judge_header": (J, ("key=KEY",)), "judge_thought_tags": (J, ("<a> </a>",)), "second_judge": (SECOND, "l"),
    "second_judge_url": (SECOND, "http://n/v1"),
}  # fmt: skip


class Pool:
    """A model pool that opens nothing and notes what it is asked for."""

    noted: list[str]

    def __init__(self, local_model: object, **bounds: object) -> None:
        self.noted.append(f"{bounds}")

    async def __aenter__(self) -> "Pool":
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def open(self, spec: object) -> ScriptedModel:
        self.noted.append(f"{spec}")
        return ScriptedModel([])


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Everything that the engine, the reward and the data were given for a config."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield looking(tmp_path_factory.mktemp("flags"), monkeypatch)


def looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    write_pairs(tmp_path / "pairs.jsonl", [pair(f"dish {number}") for number in range(24)])
    write_prompts(tmp_path / "prompts.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    text = "".join(json.dumps(row | {"another": "mulch"}) + "\n" for row in rows)
    (tmp_path / "prompts.jsonl").write_text(text)
    (tmp_path / "prompt.txt").write_text("{gold_rationale} {rationale}")
    (tmp_path / "judge.txt").write_text("{conversation} {response_a} {response_b}")
    for folder, share in (("judged", 3), ("judged-too", 2)):
        write_judged(tmp_path / folder, share)
    (tmp_path / "labels.jsonl").write_bytes((tmp_path / "judged-too/meta_judgments.jsonl").read_bytes())
    noted: list[str] = []
    monkeypatch.setattr(Pool, "noted", noted, raising=False)
    for module, names in (
        (judge_reward, ("GenRMReward", "Guard")),
        (
            policy_reward,
            ("PairJudge", "GroupComparison", "ReferenceComparison", "Guard", "JudgedReward", "ServedReward"),
        ),
    ):
        monkeypatch.setattr(module, "ModelPool", Pool)
        for name in names:
            monkeypatch.setattr(module, name, noting(getattr(module, name), noted))

    # Most flags are compared with one of a few configs.
    known: dict[str, str] = {}

    async def look(config: TrainConfig | PolicyConfig) -> str:
        if repr(config) in known:
            return known[repr(config)]
        noted.clear()
        task = (
            PolicyTask.load(config)
            if isinstance(config, PolicyConfig)
            else (JudgeTask if config.role == "judge" else MetaJudgeTask).load(config)
        )
        training, examples = task.training, task.data.examples
        shown = [
            f"{each.order} {each.prompt} {each.target} {each.decision} {each.pair.response_b}"
            for each in examples
        ]
        found: list[object] = [shown, [each.id for each in task.data.held_out]]
        if training.engine == "verl":
            files = VerlFiles(out=training.out)
            reward = _reward_function(config, files, BASE)
            served = _served_meta_judge(config)
            found.append(config_text(training, files, reward, examples=len(examples), served=served))
        else:
            steps = training.steps_over(len(examples), task.stage)
            out = str(training.out)
            if task.stage == "sft":
                args = sft_config(training, out, steps=steps, processes=1)
            else:
                args = grpo_config(training, BASE, out, steps=steps, processes=1)
                reward = task.open_reward(ScriptedModel, processes=1, log=len)
                assert isinstance(reward, AbstractAsyncContextManager)
                async with reward:
                    found.append(list(noted))
            found += [args.to_dict(), repr(lora_config(training)), weight_dtype(training)]
        known[repr(config)] = re.sub(r"0x[0-9a-f]+", "", str(found))
        return known[repr(config)]

    return look


def noting(kind: type, noted: list[str]) -> Callable[..., Any]:
    def made(*arguments: object, **options: object) -> Any:
        noted.append(re.sub(r"0x[0-9a-f]+", "", f"{kind.__name__} {arguments} {options}"))
        for each in arguments:
            if isinstance(each, SteeredLengthPenalty):
                noted.append(f"{each.state} {each._dynamic}")
            elif isinstance(each, ChatJudge | ChatMetaJudge):
                noted.append(each.prompt.digest)
        return kind(*arguments, **options)

    return made


def write_judged(folder: Path, share: int) -> None:
    """A judge's right judgments, and a meta-judge's decisions: one in so many aligned."""
    folder.mkdir()
    with (
        (folder / "judgments.jsonl").open("wb") as judgments,
        (folder / "meta_judgments.jsonl").open("wb") as metas,
    ):
        for number in range(24):
            about = {"pair_id": f"dish {number}"}
            aligned = number % share == 0
            word = "Correct" if aligned else "Incorrect"
            judgments.write(encode(Judgment(**about, rationale="Salt.", verdict="A")) + b"\n")
            text = f"POINT: salt | STATED: {'yes' if aligned else 'no'}\nVERDICT: {word}"
            metas.write(encode(MetaJudgment(**about, aligned=aligned, text=text)) + b"\n")


def base_of(given: dict[str, Any]) -> TrainConfig:
    return train_config(["pairs.jsonl"], **{"batch": 4, "group_size": 4} | given) if given.get("stage") != "sft" else (
        train_config(["pairs.jsonl"], **{"batch": 4} | given)
    )  # fmt: skip


@pytest.mark.parametrize("flag", [name for name, (_, other) in TRAIN.items() if other is not None])
async def test_every_flag_of_train_changes_what_an_engine_is_given(flag: str, seen) -> None:
    base, other = TRAIN[flag]
    if flag == "report_to":
        assert "wandb" in await seen(base_of(base | {flag: other}))
    assert await seen(base_of(base)) != await seen(base_of(base | {flag: other}))


@pytest.mark.parametrize("flag", [name for name, (_, other) in POLICY.items() if other is not None])
async def test_every_flag_of_policy_changes_what_an_engine_is_given(flag: str, seen) -> None:
    base, other = POLICY[flag]
    shared: dict[str, Any] = {"batch": 4, "group_size": 4}
    before = policy_config(["prompts.jsonl"], **shared | base)
    assert await seen(before) != await seen(replaced(before, **{flag: other}))


def test_no_flag_is_left_out() -> None:
    train, policy = as_table(train_config(reward="outcome")), as_table(policy_config(judge="j"))
    assert train.keys() - ABOUT_THE_RUN.keys() == TRAIN.keys()
    shared = train.keys() & policy.keys() - {"judge_prompt", "verdict"}
    assert policy.keys() - ABOUT_THE_RUN.keys() - shared == POLICY.keys()

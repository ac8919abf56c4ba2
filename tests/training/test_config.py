from pathlib import Path

import pytest
from tests.training.configs import replaced, train_config

from ralign.errors import InputError
from ralign.runs.options import fingerprint, flag
from ralign.training.config import TrainConfig


def config(**given) -> TrainConfig:
    asked = {"meta_judge": "m"} if given.get("stage", "rl") == "rl" and "reward" not in given else {}
    return train_config(**asked | given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"stage": "sft", "orders": "ba"}, "--orders is ba for --stage sft"),
        ({"stage": "sft", "thinking": "on"}, "--thinking on with --stage sft"),
        ({"stage": "sft", "vllm": "colocate"}, "--vllm is for --stage rl"),
        ({"stage": "sft", "mini_batch": 8}, "--mini-batch is for --stage rl"),
        ({"stage": "sft", "kl_coef": 0.1}, "--kl-coef is for --stage rl"),
        ({"nodes": 2}, "--nodes is for --engine verl"),
        ({"gae_lambda": 0.9}, "--gae-lambda is for --algorithm ppo"),
        ({"lora_alpha": 4}, "--lora-alpha needs --lora-rank"),
        ({"mini_batch": 48}, "--mini-batch is 48, expected a divisor of --batch, 64"),
        ({"clip": 0.1}, "--clip has no effect with one update a rollout"),
        ({"clip_high": 0.3, "mini_batch": 64}, "--clip-high has no effect with one update a rollout"),
        ({"engine": "verl", "micro_batch": 4}, "--micro-batch is for --engine trl"),
        ({"meta_judge": None}, "--reward ralign needs --meta-judge MODEL"),
        ({"reward": "outcome", "meta_judge": "m"}, "--meta-judge is for --stage rl with a reward that asks"),
        ({"reward": "outcome", "meta_judge_url": "http://x/v1"}, "--meta-judge-url needs --meta-judge"),
        ({"reward_weight": 0.3}, "--reward-weight is for hybrid and points"),
        ({"group_size": 1}, "--group-size is 1, expected 2 or more"),
        ({"vllm": "server"}, "--vllm server needs --vllm-url"),
        ({"vllm_url": "http://x"}, "--vllm-url needs --vllm server"),
        ({"meta_votes": 2}, "--meta-votes is 2, expected an odd number"),
        ({"batch": 0}, "--batch is 0, expected 1 or more"),
        ({"lora_rank": -1}, "--lora-rank is -1"),
        ({"clip": 2.0, "mini_batch": 32}, "--clip is 2.0"),
        ({"concurrency": 0}, "--concurrency is 0"),
        ({"epochs": 0.0}, "--epochs is 0.0"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line_that_names_the_flag(given, says: str) -> None:
    with pytest.raises(InputError) as error:
        config(**given)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


OTHER = {
    "meta_judge": "m", "meta_prompt": Path("p"), "meta_temperature": 0.9, "meta_max_tokens": 9, "meta_votes": 3,
    "meta_body": "{}", "meta_judge_key_variable": "KEY", "meta_judge_header": ("key=KEY",),
    "concurrency": 3, "deadline": 3.0, "try_timeout": 3.0,
    "on_outage": "stop", "outage_patience": 3.0, "unscored": "leave_out",
}  # fmt: skip
"""Flags of a meta-judge that is asked, and of its calls, each away from its default."""
META = {"role": "meta-judge", "judged": Path("judged")}


@pytest.mark.parametrize(
    ("given", "idle"),
    [
        ({"stage": "sft"}, OTHER | {"reward": "outcome"}),
        ({"reward": "outcome"}, OTHER),
        ({"reward": "outcome", "engine": "verl"}, OTHER | {"serve_meta_judge": True}),
        ({}, {"serve_meta_judge": True, "unscored": "leave_out", "held_out": 0.3, "balance": "none"}),
        (
            {"engine": "verl"},
            {"meta_judge_gpus": 4, "meta_judge_tensor_parallel": 2, "judged": Path("judged")},
        ),
        (
            META | {"stage": "rl", "meta_judge": None},
            {name: other for name, other in OTHER.items() if name != "meta_prompt"} | {"orders": "ba"},
        ),
        (META | {"stage": "sft"}, {"labels": Path("labels.jsonl"), "reward": "outcome"}),
    ],
)
def test_a_flag_that_would_change_nothing_is_refused(given, idle) -> None:
    config(**given)
    for name, other in idle.items():
        with pytest.raises(InputError, match=f"^{flag(name)} is for .* and would change nothing here"):
            config(**given | {name: other})


@pytest.mark.parametrize(
    ("stage", "lora_rank", "rate"), [("sft", 0, 1e-5), ("rl", 0, 1e-6), ("sft", 8, 1e-4), ("rl", 8, 1e-5)]
)
def test_the_learning_rate_follows_stage_and_adapters(stage, lora_rank: int, rate: float) -> None:
    assert config(stage=stage, lora_rank=lora_rank).training.rate(stage) == pytest.approx(rate)
    assert config(stage=stage, lora_rank=lora_rank, learning_rate=3e-4).training.rate(stage) == 3e-4


def test_rl_takes_whole_steps_only_and_sft_takes_the_rest_too() -> None:
    assert config(batch=10).training.steps_over(25, "rl") == 2
    assert config(batch=10, epochs=3.0).training.steps_over(25, "rl") == 6
    assert config(stage="sft", batch=10).training.steps_over(25, "sft") == 3
    assert config(stage="sft", batch=10, epochs=0.5).training.steps_over(25, "sft") == 2
    assert config(batch=10, steps=7).training.steps_over(25, "rl") == 7
    with pytest.raises(InputError, match="9 prompts can be trained on, and a step takes 10"):
        config(batch=10).training.steps_over(9, "rl")


def test_only_what_shapes_the_weights_makes_another_run() -> None:
    base = config()
    same = replaced(
        base,
        micro_batch=4,
        save_every=3,
        meta_judge_url="http://elsewhere/v1",
        report_to="wandb",
        vllm="colocate",
    )
    other = replaced(base, temperature=0.9)
    assert fingerprint(same) == fingerprint(base)
    assert fingerprint(other) != fingerprint(base)
    assert fingerprint(base, pairs_digest="a") != fingerprint(base, pairs_digest="b")

from pathlib import Path

from ralign.training.config import TrainConfig
from ralign.training.model_card import model_card
from ralign.training.train_log import Step


def card(**given) -> str:
    config = TrainConfig(
        ("p.jsonl",), **{"model": "Qwen/Qwen3-8B", "out": Path("out"), "stage": "sft"} | given
    )
    steps = [Step(step, {"loss": float(step)}, ()) for step in range(1, 61)]
    return model_card(
        config, pairs=["p.jsonl"], examples=1200, left_out=3, steps=steps, versions={"ralign": "0.1.0"}
    )


def test_a_card_says_what_the_judge_comes_from_and_what_it_learned_on() -> None:
    text = card()
    assert text.startswith("---\nbase_model: Qwen/Qwen3-8B\n")
    assert "Supervised fine-tuning on gold judgments" in text
    assert "on 1,200 prompts of p.jsonl; 3 pairs were left out" in text
    assert "| learning_rate | 1e-05 |" in text
    assert "| loss | 35.5 |" in text  # the mean of 11 to 60
    assert "| ralign | 0.1.0 |" in text


def test_a_card_names_the_reward_and_its_meta_judge() -> None:
    text = card(stage="rl", meta_judge="gpt-oss-120b")
    assert "Meta-judge in training: gpt-oss-120b." in text
    assert "with a rationale that rests on gold's decisive points" in text


def test_a_judge_that_was_trained_not_to_think_says_how_to_ask_it() -> None:
    assert "enable_thinking" in card(thinking="off")
    assert "enable_thinking" not in card()

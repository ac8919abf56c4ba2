from tests.training.configs import train_config

from ralign.records import Message, PreferencePair
from ralign.training.examples import Example, LeftOut, TrainingData
from ralign.training.model_card import model_card
from ralign.training.tasks.judge import JudgeTask
from ralign.training.train_log import Step

PAIR = PreferencePair(
    id="p", conversation=(Message(role="user", content="?"),), response_a="a", response_b="b", label="A"
)
DATA = TrainingData(
    examples=(Example(pair=PAIR, order="ab", prompt=PAIR.conversation),) * 1200,
    left_out=(LeftOut("q", "too long"),) * 3,
    bad_rows=(),
    pairs=1203,
    digest="",
)


def card(**given) -> str:
    config = train_config(**{"model": "Qwen/Qwen3-8B", "stage": "sft"} | given)
    task = JudgeTask(config=config, data=DATA, digests={}, meta_prompt=None, files=("p.jsonl",))
    steps = [Step(step, {"loss": float(step)}, ()) for step in range(1, 61)]
    return model_card(task, trained_on=DATA, steps=steps, versions={"ralign": "0.1.0"})


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

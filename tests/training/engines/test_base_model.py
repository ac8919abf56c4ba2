"""What the base model's tokenizer and chat template decide, before any weight is loaded."""

from pathlib import Path

import pytest
from examples.train_micro_judge import CHAT_TEMPLATE, SMALL, micro_tokenizer, save_start
from tests.training.test_examples import pair
from tests.training.toy_judge import toy_config

from ralign.errors import InputError
from ralign.records import Message
from ralign.training.engines.base_model import fitting, load_base_model
from ralign.training.examples import Example

EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
# As Qwen3's: told not to think, the prompt closes an empty thought; an answer without a thought has an empty one.
THINKING = CHAT_TEMPLATE.replace(
    "{{ message.role }}\n{{ message.content }}",
    "{{ message.role }}\n{% if message.role == 'assistant' %}"
    + EMPTY_THOUGHT
    + "{% endif %}{{ message.content }}",
).replace(
    "<|im_start|>assistant\n{% endif %}",
    "<|im_start|>assistant\n{% if enable_thinking is false %}" + EMPTY_THOUGHT + "{% endif %}{% endif %}",
)


def started(folder: Path, template: str, **given):
    save_start(folder / "start", SMALL)
    tokenizer = micro_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder / "start")
    config = toy_config(folder, folder / "run", **{"stage": "sft"} | given)
    return load_base_model(config.training), config.training


def example(text: str = "A: red", target: str | None = "right. \\boxed{A}") -> Example:
    return Example(pair=pair("rice"), order="ab", prompt=(Message(role="user", content=text),), target=target)


@pytest.mark.parametrize("thinking", ["off", None])
def test_a_template_that_thinks_renders_the_same_prompt_with_and_without_an_answer(
    tmp_path, thinking
) -> None:
    base, config = started(tmp_path, THINKING, thinking=thinking)
    assert base.template_kwargs.get("enable_thinking", "unset") == (False if thinking == "off" else "unset")
    assert not base.thought_opened
    assert len(fitting([example()], base, config).examples) == 1


def test_a_template_that_renders_another_prompt_once_an_answer_follows_is_refused(tmp_path) -> None:
    # Told not to think, the prompt closes an empty thought, and an answer comes without one.
    other = THINKING.replace("{% if message.role == 'assistant' %}" + EMPTY_THOUGHT + "{% endif %}", "")
    base, config = started(tmp_path, other, thinking="off")
    with pytest.raises(InputError, match="renders a prompt otherwise once an answer follows"):
        fitting([example()], base, config)


def test_a_template_that_opens_the_thought_is_known(tmp_path) -> None:
    opening = CHAT_TEMPLATE.replace(
        "<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}"
    )
    base, _ = started(tmp_path, opening, stage="rl", reward="outcome")
    assert base.thought_opened


def test_a_candidate_answer_cannot_end_its_turn(tmp_path) -> None:
    base, _ = started(tmp_path, CHAT_TEMPLATE)
    tokens = base.tokenizer.apply_chat_template(
        [{"role": "user", "content": "red<|im_end|>"}], return_dict=False, **base.template_kwargs
    )
    assert tokens.count(base.tokenizer.eos_token_id) == 1


def test_prompts_and_answers_that_are_too_long_are_told_apart(tmp_path) -> None:
    base, config = started(tmp_path, CHAT_TEMPLATE, max_prompt_tokens=12, max_completion_tokens=6)
    long_prompt, long_answer = example(text="red blue " * 10), example(target="right, " * 10)
    found = fitting([example(), long_prompt, long_answer, example(target=None)], base, config)
    assert len(found.examples) == 2
    assert [each.why for each in found.left_out] == [
        "prompt longer than 12 tokens",
        "answer to imitate longer than 6 tokens",
    ]


def test_a_template_that_refuses_a_prompt_is_one_line(tmp_path) -> None:
    refusing = "{{ raise_exception('no such chat') if messages|length and messages[0].content != '?' }}"
    base, config = started(tmp_path, refusing)
    with pytest.raises(InputError, match="refuses a prompt: no such chat"):
        fitting([example()], base, config)

"""What the base model's tokenizer and chat template decide, before any weight is loaded."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from examples.train_micro_judge import CHAT_TEMPLATE, SMALL, micro_tokenizer, save_start
from tests.models.test_pretrained import adapter_on
from tests.training.test_examples import pair
from tests.training.toy_judge import toy_config

from ralign.errors import InputError
from ralign.models.pretrained import load_weights
from ralign.records import Message
from ralign.training.engines.base_model import engine_options, fitting, load_base_model, token_limits
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
    return load_base_model(config.training, lambda line: None), config.training


def example(text: str = "A: red", target: str | None = "right. \\boxed{A}") -> Example:
    return Example(pair=pair("rice"), order="ab", prompt=(Message(role="user", content=text),), target=target)


@pytest.mark.parametrize("thinking", ["off", None])
def test_a_template_that_thinks_renders_the_same_prompt_with_and_without_an_answer(
    tmp_path, thinking
) -> None:
    base, config = started(tmp_path, THINKING, thinking=thinking)
    assert base.template_kwargs.get("enable_thinking", "unset") == (False if thinking == "off" else "unset")
    assert not base.thought_opened
    assert len(fitting([example()], base, config)[0]) == 1


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
    fit, left_out = fitting([example(), long_prompt, long_answer, example(target=None)], base, config)
    assert len(fit) == 2
    assert [each.why for each in left_out] == [
        "prompt longer than 12 tokens",
        "answer to imitate longer than 6 tokens",
    ]


def test_a_template_that_refuses_a_prompt_is_one_line(tmp_path) -> None:
    refusing = "{{ raise_exception('no such chat') if messages|length and messages[0].content != '?' }}"
    base, config = started(tmp_path, refusing)
    with pytest.raises(InputError, match="refuses the messages: no such chat"):
        fitting([example()], base, config)


@pytest.mark.parametrize(
    ("given", "context", "limits"),
    [
        ({}, 120, (80, 40)),
        ({"max_prompt_tokens": 100}, 120, (100, 20)),
        ({"max_completion_tokens": 100}, 120, (20, 100)),
        ({"max_prompt_tokens": 10, "max_completion_tokens": 10}, 120, (10, 10)),
        ({}, None, (8192, 4096)),
    ],
)
def test_limits_that_nobody_gave_are_what_the_model_can_read(given, context, limits, tmp_path) -> None:
    options = {"max_prompt_tokens": None, "max_completion_tokens": None} | given
    config = toy_config(tmp_path, tmp_path / "run", stage="sft", **options).training
    assert token_limits(config, context) == limits


@pytest.mark.parametrize("given", [{"max_prompt_tokens": 120}, {"max_completion_tokens": 200}])
def test_limits_beyond_what_the_model_can_read_are_refused(given, tmp_path) -> None:
    options = {"max_prompt_tokens": None, "max_completion_tokens": None} | given
    config = toy_config(tmp_path, tmp_path / "run", stage="sft", **options).training
    with pytest.raises(InputError, match="are more than the 120 tokens"):
        token_limits(config, 120)


def test_the_limits_that_follow_from_the_model_are_told(tmp_path) -> None:
    save_start(tmp_path / "start", SMALL)
    limits = {"max_prompt_tokens": None, "max_completion_tokens": None}
    config = toy_config(tmp_path, tmp_path / "run", stage="sft", **limits).training
    told = []
    base = load_base_model(config, told.append)
    assert (base.max_prompt_tokens, base.max_completion_tokens) == (86, 42)
    assert told == [
        f"'{tmp_path}/start' can read 128 tokens: --max-prompt-tokens 86, --max-completion-tokens 42"
    ]


def test_an_adapter_is_merged_once_into_the_folder_that_training_starts_from(tmp_path) -> None:
    save_start(tmp_path / "base", SMALL)
    adapter_on(tmp_path / "base", tmp_path / "start")
    config = toy_config(tmp_path, tmp_path / "run", stage="sft").training
    base = load_base_model(config, lambda line: None)
    options = engine_options(config, base, tmp_path / "run/start")
    assert options.model == str(tmp_path / "run/start")
    written = (tmp_path / "run/start/model.safetensors").stat().st_mtime_ns
    assert engine_options(config, base, tmp_path / "run/start") == options
    assert (tmp_path / "run/start/model.safetensors").stat().st_mtime_ns == written
    again = load_base_model(options, lambda line: None)
    assert again.pretrained.adapter is None
    torch.testing.assert_close(
        load_weights(again.pretrained).state_dict(), load_weights(base.pretrained).state_dict()
    )


def test_a_template_that_leaves_the_system_message_out_is_refused(tmp_path) -> None:
    template = CHAT_TEMPLATE.replace(
        "{% for message in messages %}", "{% for message in messages if message.role != 'system' %}"
    )
    base, config = started(tmp_path, template)
    judged = replace(
        example(), prompt=(Message(role="system", content="red"), Message(role="user", content="A"))
    )
    with pytest.raises(InputError, match="leaves system messages out"):
        fitting([judged], base, config)

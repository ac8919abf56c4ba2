"""The start model, as far as its name goes: tokenizer, chat template, limits; examples that fit into them.

In: a `TrainConfig` and examples. Out: a tokenizer and the examples whose prompts, and gold judgments where they are
imitated, are short enough. Nothing is ever cut: half a gold judgment has no verdict, half a prompt no second answer.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import torch
from jinja2 import TemplateError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from ralign.errors import InputError
from ralign.thinking import OPENER
from ralign.training.config import TrainConfig
from ralign.training.examples import Example, LeftOut

_AT_A_TIME: Final = 256
"""Examples that are turned into tokens together."""


class Start(NamedTuple):
    """What can be known of a start model without its weights."""

    tokenizer: PreTrainedTokenizerBase
    template_kwargs: dict[str, object]
    """What the chat template is told besides the messages."""
    end_tokens: frozenset[int]
    """Ids that end an answer."""
    dtype: torch.dtype | None
    """How its weights are stored, and the trained ones will be."""
    thought_opened: bool
    """The template opens the thought itself, so that an answer begins inside it."""


class Fitting(NamedTuple):
    """The examples that fit, and those that do not."""

    examples: tuple[Example, ...]
    left_out: tuple[LeftOut, ...]


def load_start(config: TrainConfig) -> Start:
    """Load the tokenizer, and check that the model can be trained as a judge.

    Raises:
        InputError: there is no such model, it cannot chat, or its context is too short for the limits asked for.
    """
    name = config.model
    try:
        shape = cast(PreTrainedConfig, cast(Any, AutoConfig).from_pretrained(name))
        tokenizer = cast(PreTrainedTokenizerBase, cast(Any, AutoTokenizer).from_pretrained(name))
    except (OSError, ValueError) as error:
        raise InputError(f"no model can be loaded from '{name}': {error}") from error
    if not tokenizer.chat_template:
        raise InputError(
            f"the tokenizer of '{name}' has no chat template, and a judge is asked by chat: start from a model tuned "
            "for chat, or put a chat_template.jinja beside its tokenizer"
        )
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer of '{name}' names no end-of-text token, so no judgment would ever end"
        )
    context: int | None = getattr(shape.get_text_config(), "max_position_embeddings", None)
    if context is not None and config.max_prompt_tokens + config.max_completion_tokens > context:
        raise InputError(
            f"--max-prompt-tokens {config.max_prompt_tokens:,} and --max-completion-tokens "
            f"{config.max_completion_tokens:,} are more than the {context:,} tokens '{name}' can read; lower one"
        )
    # A candidate answer that spells out `<|im_end|>` must not end its turn (pitfall 10).
    template_kwargs: dict[str, object] = {"sanitize_control_tokens": True}
    if config.thinking is not None:
        if "enable_thinking" not in str(tokenizer.chat_template):
            raise InputError(
                f"--thinking {config.thinking}: the chat template of '{name}' knows no enable_thinking; leave it out"
            )
        template_kwargs["enable_thinking"] = config.thinking == "on"
    return Start(
        tokenizer,
        template_kwargs,
        end_tokens=frozenset({int(cast(Any, tokenizer.eos_token_id)), *_model_end_tokens(name)}),
        dtype=cast("torch.dtype | None", shape.dtype),
        thought_opened=_opens_thought(tokenizer, template_kwargs),
    )


def fitting(examples: Sequence[Example], start: Start, config: TrainConfig) -> Fitting:
    """Sort out what is too long.

    Raises:
        InputError: the chat template refuses a prompt, or renders it otherwise once an answer follows.
    """
    fit: list[Example] = []
    left_out: list[LeftOut] = []
    for first in range(0, len(examples), _AT_A_TIME):
        batch = examples[first : first + _AT_A_TIME]
        answered = [example for example in batch if example.target is not None]
        whole = iter(_tokens(answered, start, answered=True))
        for example, prompt in zip(batch, _tokens(batch, start, answered=False), strict=True):
            problem = _problem(prompt, None if example.target is None else next(whole), config)
            if problem is None:
                fit.append(example)
            else:
                left_out.append(LeftOut(example.pair.id, problem))
    return Fitting(tuple(fit), tuple(left_out))


def _problem(prompt: list[int], whole: list[int] | None, config: TrainConfig) -> str | None:
    """Why a prompt, or a prompt with its answer, is left out."""
    if whole is not None and whole[: len(prompt)] != prompt:
        raise InputError(
            f"the chat template of '{config.model}' renders a prompt otherwise once an answer follows: what is "
            "imitated would not be what is asked later; give another --thinking, or mend the template"
        )
    if len(prompt) > config.max_prompt_tokens:
        return f"prompt longer than {config.max_prompt_tokens:,} tokens"
    if whole is not None and len(whole) - len(prompt) > config.max_completion_tokens:
        return f"answer to imitate longer than {config.max_completion_tokens:,} tokens"
    return None


def chat(example: Example) -> list[dict[str, str]]:
    """The prompt's messages, as transformers takes them."""
    return [{"role": message.role, "content": message.content} for message in example.prompt]


def _model_end_tokens(name: str) -> list[int]:
    """What the model's generation config says ends an answer; some models have several such tokens."""
    try:
        ends = cast(Any, GenerationConfig).from_pretrained(name).eos_token_id
    except OSError:  # not every model has one
        return []
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def _opens_thought(tokenizer: PreTrainedTokenizerBase, template_kwargs: dict[str, object]) -> bool:
    """Whether the generation prompt ends in `<think>`."""
    told = {name: value for name, value in template_kwargs.items() if name != "sanitize_control_tokens"}
    shown = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}],
        add_generation_prompt=True,
        tokenize=False,
        **cast("dict[str, Any]", told),
    )
    return str(shown).rstrip().endswith(OPENER)


def _tokens(examples: Sequence[Example], start: Start, *, answered: bool) -> list[list[int]]:
    """Each prompt as the model reads it, with its answer or ready for one; together, as tokenizers use every core."""
    if not examples:
        return []
    chats = [chat(example) for example in examples]
    if answered:
        for messages, example in zip(chats, examples, strict=True):
            messages.append({"role": "assistant", "content": example.target or ""})
    try:
        tokens = start.tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=not answered,
            return_dict=False,
            **cast("dict[str, Any]", start.template_kwargs),
        )
    except TemplateError as error:
        raise InputError(f"the chat template of the start model refuses a judge's prompt: {error}") from None
    return cast("list[list[int]]", tokens)

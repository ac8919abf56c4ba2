"""Base model without its weights: tokenizer, chat template, limits; and the examples that fit into them.

Comes in: `TrainingOptions` and examples. Goes out: a tokenizer and the examples whose prompts, and targets where they
are imitated, are short enough. Nothing is ever cut: half a gold judgment has no verdict, half a prompt no second
answer.
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
from ralign.thinking import opens_thought
from ralign.training.examples import Example, LeftOut
from ralign.training.options import TrainingOptions

_AT_A_TIME: Final = 256
"""Examples that are turned into tokens together."""


class BaseModel(NamedTuple):
    """Base model, as far as it is known without its weights."""

    tokenizer: PreTrainedTokenizerBase
    template_kwargs: dict[str, object]
    """Keyword arguments of the chat template beside the messages."""
    end_tokens: frozenset[int]
    """Ids that end an answer."""
    dtype: torch.dtype | None
    """Dtype that its weights are stored in, and the trained ones will be."""
    thought_opened: bool
    """The template opens the thought itself, so that an answer begins inside it."""


def load_base_model(config: TrainingOptions) -> BaseModel:
    """Load the tokenizer, and check that the model can be trained to chat within the limits.

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
            f"the tokenizer of '{name}' has no chat template, and models are asked by chat: start from a model tuned "
            "for chat, or put a chat_template.jinja beside its tokenizer"
        )
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer of '{name}' names no end-of-text token, so no completion would ever end"
        )
    context: int | None = getattr(shape.get_text_config(), "max_position_embeddings", None)
    # Checked before hours of training: vLLM would refuse such a context, transformers would read beyond it and drift.
    if context is not None and config.max_prompt_tokens + config.max_completion_tokens > context:
        raise InputError(
            f"--max-prompt-tokens {config.max_prompt_tokens:,} and --max-completion-tokens "
            f"{config.max_completion_tokens:,} are more than the {context:,} tokens '{name}' can read; lower one"
        )
    # A candidate answer that spells out `<|im_end|>` must not end its turn.
    template_kwargs: dict[str, object] = {"sanitize_control_tokens": True}
    if config.thinking is not None:
        if "enable_thinking" not in str(tokenizer.chat_template):
            raise InputError(
                f"--thinking {config.thinking}: the chat template of '{name}' knows no enable_thinking; leave it out"
            )
        template_kwargs["enable_thinking"] = config.thinking == "on"
    # The model's generation config says what else ends an answer; some models have several such tokens, some no config.
    try:
        ends = cast(Any, GenerationConfig).from_pretrained(name).eos_token_id
    except OSError:
        ends = None
    model_ends: list[int] = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    shown = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}],
        add_generation_prompt=True,
        tokenize=False,
        # This one is the tokenizer's own argument, and refused where no tokens are asked for.
        **cast(
            "dict[str, Any]", {k: v for k, v in template_kwargs.items() if k != "sanitize_control_tokens"}
        ),
    )
    return BaseModel(
        tokenizer,
        template_kwargs,
        end_tokens=frozenset({int(cast(Any, tokenizer.eos_token_id)), *model_ends}),
        dtype=cast("torch.dtype | None", shape.dtype),
        thought_opened=opens_thought(str(shown)),
    )


def fitting(
    examples: Sequence[Example], base: BaseModel, config: TrainingOptions
) -> tuple[tuple[Example, ...], tuple[LeftOut, ...]]:
    """Examples whose prompt and target are within the limits, and those left out.

    Raises:
        InputError: the chat template refuses a prompt, or renders it otherwise once an answer follows.
    """
    fit: list[Example] = []
    left_out: list[LeftOut] = []
    for first in range(0, len(examples), _AT_A_TIME):
        batch = examples[first : first + _AT_A_TIME]
        answered = [example for example in batch if example.target is not None]
        whole = iter(_tokens(answered, base, answered=True))
        for example, prompt in zip(batch, _tokens(batch, base, answered=False), strict=True):
            answer = [] if example.target is None else next(whole)
            # TRL masks the prompt by its length: tokens that differ would be imitated, or left out of the loss.
            if answer and answer[: len(prompt)] != prompt:
                raise InputError(
                    f"the chat template of '{config.model}' renders a prompt otherwise once an answer follows: what is "
                    "imitated would not be what is asked later; give another --thinking, or mend the template"
                )
            if len(prompt) > config.max_prompt_tokens:
                left_out.append(
                    LeftOut(example.pair.id, f"prompt longer than {config.max_prompt_tokens:,} tokens")
                )
            elif len(answer) - len(prompt) > config.max_completion_tokens:
                left_out.append(
                    LeftOut(
                        example.pair.id,
                        f"answer to imitate longer than {config.max_completion_tokens:,} tokens",
                    )
                )
            else:
                fit.append(example)
    return tuple(fit), tuple(left_out)


def chat(example: Example) -> list[dict[str, str]]:
    """The prompt's messages, as transformers takes them."""
    return [{"role": message.role, "content": message.content} for message in example.prompt]


def _tokens(examples: Sequence[Example], base: BaseModel, *, answered: bool) -> list[list[int]]:
    """Each prompt as the model reads it, with its answer or ready for one; together, as tokenizers use every core."""
    if not examples:
        return []
    chats = [chat(example) for example in examples]
    if answered:
        for messages, example in zip(chats, examples, strict=True):
            messages.append({"role": "assistant", "content": example.target or ""})
    try:
        tokens = base.tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=not answered,
            return_dict=False,
            **cast("dict[str, Any]", base.template_kwargs),
        )
    except TemplateError as error:
        raise InputError(f"the chat template of the base model refuses a prompt: {error}") from None
    return cast("list[list[int]]", tokens)

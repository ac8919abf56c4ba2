"""Base model without its weights: tokenizer, chat template, limits; and the examples that fit into them.

Comes in: `TrainingOptions` and examples. Goes out: a tokenizer and the examples whose prompts, and targets where they
are imitated, are short enough. Nothing is ever cut: half a gold judgment has no verdict, half a prompt no second
answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import torch
from jinja2 import TemplateError
from transformers import GenerationConfig, PreTrainedTokenizerBase

from ralign.errors import InputError
from ralign.models.pretrained import Pretrained, drops_system, load_pretrained, load_weights, refused, render
from ralign.thinking import opens_thought
from ralign.training.examples import Example, LeftOut
from ralign.training.options import TrainingOptions

_AT_A_TIME: Final = 256
"""Examples that are turned into tokens together."""
_PROMPT_TOKENS: Final = 8192
_COMPLETION_TOKENS: Final = 4096
"""Limits where nobody says what a model can read: one without fixed positions."""


class BaseModel(NamedTuple):
    """Base model, as far as it is known without its weights."""

    pretrained: Pretrained
    tokenizer: PreTrainedTokenizerBase
    template_kwargs: dict[str, object]
    """Keyword arguments of the chat template beside the messages."""
    end_tokens: frozenset[int]
    """Ids that end an answer."""
    dtype: torch.dtype | None
    """Dtype that its weights are stored in, and the trained ones will be."""
    thought_opened: bool
    """The template opens the thought itself, so that an answer begins inside it."""
    max_prompt_tokens: int
    max_completion_tokens: int


def load_base_model(config: TrainingOptions, log: Callable[[str], object]) -> BaseModel:
    """Load the tokenizer, and check that the model can be trained to chat within the limits.

    Args:
        config: the options; limits that they leave open follow from what the model can read.
        log: told of those limits.

    Raises:
        InputError: there is no such model, it cannot chat, or its context is too short for the limits asked for.
    """
    name = config.model
    pretrained = load_pretrained(name)
    tokenizer = pretrained.tokenizer
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer of '{name}' names no end-of-text token, so no completion would ever end"
        )
    prompt, completion = token_limits(config, pretrained.context)
    if config.max_prompt_tokens is None or config.max_completion_tokens is None:
        reads = "no known limit" if pretrained.context is None else f"{pretrained.context:,} tokens"
        log(f"'{name}' can read {reads}: --max-prompt-tokens {prompt}, --max-completion-tokens {completion}")
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
        ends = cast(Any, GenerationConfig).from_pretrained(pretrained.name).eos_token_id
    except OSError:
        ends = None
    model_ends: list[int] = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    shown = render(pretrained, [{"role": "user", "content": "?"}], name, **template_kwargs)
    return BaseModel(
        pretrained,
        tokenizer,
        template_kwargs,
        end_tokens=frozenset({int(cast(Any, tokenizer.eos_token_id)), *model_ends}),
        dtype=cast("torch.dtype | None", pretrained.config.dtype),
        thought_opened=opens_thought(str(shown)),
        max_prompt_tokens=prompt,
        max_completion_tokens=completion,
    )


def token_limits(config: TrainingOptions, context: int | None) -> tuple[int, int]:
    """Longest prompt and completion: as asked for, otherwise what is left of the context; a third is the completion's.

    Raises:
        InputError: they are more than the model can read, or leave nothing.
    """
    prompt, completion = config.max_prompt_tokens, config.max_completion_tokens
    if context is None:
        return prompt or _PROMPT_TOKENS, completion or _COMPLETION_TOKENS
    if completion is None:
        completion = context // 3 if prompt is None else context - prompt
    if prompt is None:
        prompt = context - completion
    # Checked before hours of training: vLLM would refuse such a context, transformers would read beyond it and drift.
    if prompt + completion > context or min(prompt, completion) < 1:
        raise InputError(
            f"--max-prompt-tokens {config.max_prompt_tokens or 'not given'} and --max-completion-tokens "
            f"{config.max_completion_tokens or 'not given'} are more than the {context:,} tokens '{config.model}' can "
            "read; lower one"
        )
    return prompt, completion


def engine_options(config: TrainingOptions, base: BaseModel, start: Path) -> TrainingOptions:
    """The options as an engine takes them: limits in numbers, and a model folder.

    An adapter is merged into its base's weights and put into `start`, once. So the reference model of a KL penalty is
    what training starts from, and not the base that lies under it; with --lora-rank a new adapter is trained on top.

    Raises:
        InputError: the weights cannot be loaded, or the adapter does not fit.
    """
    model = config.model
    if base.pretrained.adapter is not None:
        model = str(start)
        if not start.exists():
            unfinished = start.with_name(f"{start.name}.unfinished")
            load_weights(base.pretrained).save_pretrained(unfinished)
            base.tokenizer.save_pretrained(str(unfinished))
            # The last of all: a folder of this name is complete.
            unfinished.rename(start)
    return replace(
        config,
        model=model,
        max_prompt_tokens=base.max_prompt_tokens,
        max_completion_tokens=base.max_completion_tokens,
    )


def fitting(
    examples: Sequence[Example], base: BaseModel, config: TrainingOptions
) -> tuple[tuple[Example, ...], tuple[LeftOut, ...]]:
    """Examples whose prompt and target are within the limits, and those left out.

    Raises:
        InputError: the chat template refuses a prompt, or renders it otherwise once an answer follows.
    """
    if any(example.prompt[0].role == "system" for example in examples[:1]) and drops_system(
        base.pretrained, config.model, **base.template_kwargs
    ):
        raise InputError(
            f"the chat template of '{config.model}' leaves system messages out; give a prompt without a [system] part"
        )
    fit: list[Example] = []
    left_out: list[LeftOut] = []
    for first in range(0, len(examples), _AT_A_TIME):
        batch = examples[first : first + _AT_A_TIME]
        answered = [example for example in batch if example.target is not None]
        whole = iter(_tokens(answered, base, config, answered=True))
        for example, prompt in zip(batch, _tokens(batch, base, config, answered=False), strict=True):
            answer = [] if example.target is None else next(whole)
            # TRL masks the prompt by its length: tokens that differ would be imitated, or left out of the loss.
            if answer and answer[: len(prompt)] != prompt:
                raise InputError(
                    f"the chat template of '{config.model}' renders a prompt otherwise once an answer follows: what is "
                    "imitated would not be what is asked later; give another --thinking, or mend the template"
                )
            if len(prompt) > base.max_prompt_tokens:
                left_out.append(
                    LeftOut(example.pair.id, f"prompt longer than {base.max_prompt_tokens:,} tokens")
                )
            elif len(answer) - len(prompt) > base.max_completion_tokens:
                left_out.append(
                    LeftOut(
                        example.pair.id,
                        f"answer to imitate longer than {base.max_completion_tokens:,} tokens",
                    )
                )
            else:
                fit.append(example)
    return tuple(fit), tuple(left_out)


def chat(example: Example) -> list[dict[str, str]]:
    """The prompt's messages, as transformers takes them."""
    return [{"role": message.role, "content": message.content} for message in example.prompt]


def _tokens(
    examples: Sequence[Example], base: BaseModel, config: TrainingOptions, *, answered: bool
) -> list[list[int]]:
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
    except (TemplateError, ValueError, TypeError) as error:
        raise refused(config.model, error) from None
    return cast("list[list[int]]", tokens)

"""A pretrained model as it lies on disk or on the hub: tokenizer, context length, and a LoRA adapter's base.

Everything that cannot be used is one line that says what is missing. Needs torch and transformers (`ralign[local]`).
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

import torch
from jinja2 import TemplateError
from peft import PeftModel
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.peft_utils import find_adapter_config_file

from ralign.errors import InputError

T = TypeVar("T")

# What loading raises for files that are missing, broken, of another program, or in need of a package.
_UNUSABLE: Final = (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError, AttributeError)
# Of the tokenizer's maximum length, transformers' word for "nobody has said": 1e30.
_NO_LIMIT: Final = 10**9
_MARK: Final = "zebra crossing"


class Pretrained(NamedTuple):
    """A pretrained model, without its weights."""

    name: str
    """Where weights and config are: the folder or hub name that was asked for, of an adapter that of its base."""
    adapter: str | None
    """The folder or hub name of a LoRA adapter that belongs on the weights."""
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerBase
    context: int | None
    """Tokens that it can read, its own answer among them; None: no limit is known."""


def load_pretrained(name: str, *, padding_side: str = "right") -> Pretrained:
    """Load config and tokenizer of a model, or of a LoRA adapter's base.

    Raises:
        InputError: there is no such model, or it cannot chat.
    """
    base = _adapter_base(name)
    weights = name if base is None else base
    config = _loaded(name, lambda: cast(PreTrainedConfig, cast(Any, AutoConfig).from_pretrained(weights)))
    # An adapter may bring a tokenizer of its own, with tokens or a template that its training added.
    own = base is not None and Path(name, "tokenizer_config.json").is_file()
    tokenizer = _loaded(
        name,
        lambda: cast(
            PreTrainedTokenizerBase,
            # Of Mistral's tekken.json transformers makes a tokenizer of its usual kind; mistral-common's own refuses
            # what keeps a candidate answer from ending its turn (`sanitize_control_tokens`).
            cast(Any, AutoTokenizer).from_pretrained(
                name if own else weights, padding_side=padding_side, mistral_format=False
            ),
        ),
    )
    if not tokenizer.chat_template:
        raise InputError(
            f"the tokenizer of '{name}' has no chat template, and models are asked by chat: take a model tuned for "
            "chat, or put a chat_template.jinja beside its tokenizer"
        )
    text_config = config.get_text_config()
    for kind in ("bos_token", "eos_token"):
        # A tokenizer made of tekken.json names neither, and the model's config has their numbers.
        number = getattr(text_config, f"{kind}_id", None)
        if getattr(tokenizer, kind) is None and isinstance(number, int):
            setattr(tokenizer, kind, cast(Any, tokenizer).convert_ids_to_tokens(number))
    limits = (getattr(text_config, "max_position_embeddings", None), tokenizer.model_max_length)
    known = [int(limit) for limit in limits if limit is not None and limit < _NO_LIMIT]
    return Pretrained(
        weights, name if base is not None else None, config, tokenizer, min(known, default=None)
    )


def load_weights(pretrained: Pretrained, *, dtype: str | torch.dtype = "auto") -> PreTrainedModel:
    """Load the weights; an adapter is merged into them.

    Raises:
        InputError: they cannot be loaded, or the adapter does not fit.
    """
    weights: Any = _loaded(
        pretrained.name,
        lambda: cast(Any, AutoModelForCausalLM).from_pretrained(pretrained.name, dtype=dtype),
    )
    if pretrained.adapter is None:
        return cast(PreTrainedModel, weights)
    adapter = pretrained.adapter
    with warnings.catch_warnings():
        # peft 0.21 asks a model for this by a name that transformers 5.23 has given up.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        merged = _loaded(
            adapter, lambda: cast(Any, PeftModel).from_pretrained(weights, adapter).merge_and_unload()
        )
    return cast(PreTrainedModel, merged)


def render(
    pretrained: Pretrained,
    messages: Sequence[Mapping[str, str]],
    name: str,
    **template_kwargs: object,
) -> str:
    """The messages as the chat template writes them, ready for an answer.

    Raises:
        InputError: see `refused`.
    """
    kwargs = {key: value for key, value in template_kwargs.items() if key != "sanitize_control_tokens"}
    apply = cast(Any, pretrained.tokenizer).apply_chat_template
    try:
        return str(apply(list(messages), add_generation_prompt=True, tokenize=False, **kwargs))
    except (TemplateError, ValueError, TypeError) as error:
        raise refused(name, error) from None


def refused(name: str, error: Exception) -> InputError:
    """A chat template's refusal of some messages in one line, with what can be done about it."""
    said = " ".join(str(error).split())
    advice = ""
    if "system" in said.lower():
        advice = "; it takes no system message: give a prompt without a [system] part"
    elif "alternat" in said.lower():
        advice = "; it takes user and assistant in turns alone: give a prompt with one [user] part"
    return InputError(f"the chat template of '{name}' refuses the messages: {said}{advice}")


def drops_system(pretrained: Pretrained, name: str, **template_kwargs: object) -> bool:
    """Whether the chat template passes over a system message without a word."""
    messages = [{"role": "system", "content": _MARK}, {"role": "user", "content": "?"}]
    return _MARK not in render(pretrained, messages, name, **template_kwargs)


def _loaded(name: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except _UNUSABLE as error:
        said = " ".join(str(error).split()) or type(error).__name__
        if Path(name, "tekken.json").is_file() and "mistral" in said.lower():
            said = f"its tekken.json needs more than transformers: `pip install mistral-common` ({said})"
        raise InputError(f"no model can be loaded from '{name}': {said}") from error


def _adapter_base(name: str) -> str | None:
    """The model that a LoRA adapter belongs on; None where `name` is no adapter."""
    if Path(name, "config.json").is_file():
        return None
    file = _loaded(name, lambda: cast("str | None", cast(Any, find_adapter_config_file)(name)))
    if file is None:
        return None
    adapter = _loaded(name, lambda: json.loads(Path(file).read_text()))
    base = adapter.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise InputError(
            f"'{name}' is a LoRA adapter whose adapter_config.json names no base_model_name_or_path"
        )
    if adapter.get("peft_type", "LORA") != "LORA":
        raise InputError(f"'{name}' is an adapter of the kind {adapter['peft_type']}, expected LORA")
    return base

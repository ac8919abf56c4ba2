"""A model's folder without weights, and verl's batches, as small as they can be."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from verl import DataProto

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]


def save_tiny_model(folder: Path) -> Path:
    """A tokenizer that says any text, a byte a token, and a Qwen3's configuration; no weights."""
    letters = sorted(ByteLevel.alphabet())
    tokenizer = Tokenizer(
        BPE(vocab={token: number for number, token in enumerate(SPECIAL + letters)}, merges=[])
    )
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        additional_special_tokens=SPECIAL,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    shape = {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "hidden_size": 16,
        "num_hidden_layers": 1,
    }
    more = {
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 16,
        "vocab_size": len(fast),
    }
    (folder / "config.json").write_text(json.dumps({**shape, **more}))
    return folder


def batch_of(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, Any]], texts: Sequence[str]
) -> DataProto:
    """A rollout's batch as `RewardLoopManager.compute_rm_score` gets it: prompts padded left, answers right."""
    pad = tokenizer.pad_token_id
    prompts = [
        tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"] for row in rows
    ]
    answers = [[*tokenizer.encode(text), tokenizer.eos_token_id] for text in texts]
    longest_prompt, longest = max(map(len, prompts)), max(map(len, answers))
    padded = [[pad] * (longest_prompt - len(each)) + each for each in prompts]
    responses = [each + [pad] * (longest - len(each)) for each in answers]
    mask = [
        [0] * (longest_prompt - len(p)) + [1] * len(p) + [1] * len(a) + [0] * (longest - len(a))
        for p, a in zip(prompts, answers, strict=True)
    ]
    return DataProto.from_dict(
        tensors={
            "prompts": torch.tensor(padded),
            "responses": torch.tensor(responses),
            "attention_mask": torch.tensor(mask),
        },
        non_tensors={
            name: np.fromiter((row[name] for row in rows), dtype=object, count=len(rows))
            for name in ("data_source", "reward_model", "extra_info")
        },
    )

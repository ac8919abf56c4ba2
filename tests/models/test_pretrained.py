"""Models as they lie on disk: Mistral's tekken.json, a LoRA adapter's folder, chat templates that lack something."""

import base64
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from examples.train_micro_judge import SMALL, save_start
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, MistralConfig, MistralForCausalLM

from ralign.errors import EndpointRefused, InputError
from ralign.models.local import LocalModel
from ralign.models.model import Sampling
from ralign.models.pretrained import drops_system, load_pretrained, load_weights, render
from ralign.records import Message

MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
SPECIAL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>"]
GREEDY = Sampling(temperature=0, max_tokens=3)


def tekken(folder: Path, *, template: str | None = MISTRAL, old: bool = False) -> Path:
    """A tiny Mistral whose tokenizer is nothing but a tekken.json of single bytes."""
    folder.mkdir(exist_ok=True)
    document: dict[str, Any] = {
        "config": {
            "pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+",
            "num_vocab_tokens": 256,
            "default_vocab_size": 256 + len(SPECIAL),
            "default_num_special_tokens": len(SPECIAL),
            "version": "v3",
        },
        "vocab": [
            {"rank": byte, "token_bytes": base64.b64encode(bytes([byte])).decode(), "token_str": None}
            for byte in range(256)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": text, "is_control": True} for rank, text in enumerate(SPECIAL)
        ],
    }
    if old:
        del document["special_tokens"]
    (folder / "tekken.json").write_text(json.dumps(document))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    torch.manual_seed(0)
    shape = MistralConfig(
        vocab_size=256 + len(SPECIAL), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=128,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    MistralForCausalLM(shape).save_pretrained(folder)
    return folder


def adapter_on(base: Path, folder: Path) -> Path:
    """A LoRA adapter with weights that are not nothing."""
    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def with_template(folder: Path, template: str) -> Path:
    save_start(folder, SMALL)
    (folder / "chat_template.jinja").write_text(template)
    return folder


async def test_a_tekken_tokenizer_chats_with_begin_and_end_from_the_config(tmp_path: Path) -> None:
    folder = tekken(tmp_path / "mistral")
    found = load_pretrained(str(folder))
    assert (found.tokenizer.bos_token, found.tokenizer.eos_token, found.context) == ("<s>", "</s>", 128)
    assert render(found, [{"role": "user", "content": "hi"}], "m") == "<s>[INST]hi[/INST]"
    async with LocalModel(folder, device="cpu") as model:
        # A control token that a candidate answer spells out stays text.
        forged = (await model.reply([Message(role="user", content="[/INST]")], GREEDY)).usage
        plain = (await model.reply([Message(role="user", content="1234567")], GREEDY)).usage
        assert forged is not None
        assert plain is not None
        assert forged.prompt_tokens == plain.prompt_tokens
        with pytest.raises(EndpointRefused, match=r"Only user and assistant roles are supported!$"):
            await model.reply([Message(role="tool", content="x")], GREEDY)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"old": True}, r"its tekken\.json needs more than transformers: `pip install mistral-common`"),
        ({"template": None}, r"has no chat template, .* put a chat_template\.jinja beside"),
    ],
)
def test_a_tekken_tokenizer_that_lacks_something_is_one_line(
    how: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_pretrained(str(tekken(tmp_path / "mistral", **how)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", '{"version": "1.0"}', "[]"])
def test_a_broken_tokenizer_is_one_line(text: str, tmp_path: Path) -> None:
    save_start(tmp_path / "model", SMALL)
    (tmp_path / "model/tokenizer.json").write_text(text)
    with pytest.raises(InputError, match="no model can be loaded from") as caught:
        load_pretrained(str(tmp_path / "model"))
    assert "\n" not in str(caught.value)


def test_an_adapter_is_merged_into_its_base(tmp_path: Path) -> None:
    save_start(tmp_path / "base", SMALL)
    adapter = adapter_on(tmp_path / "base", tmp_path / "adapter")
    found = load_pretrained(str(adapter))
    assert (found.name, found.adapter) == (str(tmp_path / "base"), str(adapter))
    tokens = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        merged = load_weights(found)(tokens).logits
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        beside = AutoModelForCausalLM.from_pretrained(adapter)(tokens).logits
        base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")(tokens).logits
    torch.testing.assert_close(merged, beside)
    assert not torch.allclose(merged, base, atol=1e-3)


def test_an_adapters_own_tokenizer_goes_before_its_bases(tmp_path: Path) -> None:
    save_start(tmp_path / "base", SMALL)
    adapter = adapter_on(tmp_path / "base", tmp_path / "adapter")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    tokenizer.chat_template = "{{ messages[0].content }} and more"
    tokenizer.save_pretrained(adapter)
    found = load_pretrained(str(adapter))
    assert render(found, [{"role": "user", "content": "red"}], "m") == "red and more"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_model_name_or_path": None}, "names no base_model_name_or_path"),
        ({"base_model_name_or_path": "/no/such/base"}, "no model can be loaded from"),
        ({"peft_type": "IA3"}, "an adapter of the kind IA3, expected LORA"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_one_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    save_start(tmp_path / "base", SMALL)
    file = adapter_on(tmp_path / "base", tmp_path / "adapter") / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=message) as caught:
        load_pretrained(str(tmp_path / "adapter"))
    assert "\n" not in str(caught.value)


GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ m.content }}{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "roles", "message"),
    [
        (GEMMA, ["system", "user"], r"System role not supported; it takes no system message: give a prompt without"),
        (GEMMA, ["user", "user"], r"must alternate .*; it takes user and assistant in turns alone"),
        ("{{ messages[9].content }}", ["user"], "refuses the messages: list object has no element 9"),
        ("{% for m in %}", ["user"], "refuses the messages: "),
        ("{{ 1 + messages[0].content }}", ["user"], "refuses the messages: unsupported operand"),
        (
            "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", ["system", "user"],
            r"leaves system messages out; give a prompt without a \[system\] part",
        ),
    ],
)  # fmt: skip
async def test_a_template_that_lacks_what_is_asked_is_one_line(
    template: str, roles: list[str], message: str, tmp_path: Path
) -> None:
    async with LocalModel(with_template(tmp_path / "model", template), device="cpu") as model:
        with pytest.raises(EndpointRefused, match=message) as caught:
            await model.reply([Message(role=role, content="red") for role in roles], GREEDY)
    assert "\n" not in str(caught.value)


def test_a_template_that_shows_system_messages_drops_none(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    assert not drops_system(load_pretrained(str(with_template(tmp_path / "model", template))), "m")

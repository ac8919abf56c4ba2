"""A world in which a tiny model can be a meta-judge: a rationale names one reason, and it is gold's or it is not."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ralign.files import encode, write_pairs
from ralign.models.testing.answers import ChatRequest
from ralign.records import Judgment, Message, Order, PreferencePair

REASONS = ("length", "colour", "price", "weight")
ORDERS: tuple[Order, ...] = ("ab", "ba")
# Says the letters itself, so that no note about them is put in, whose words the model does not know.
META_PROMPT = "Gold {gold_letter_1}:\n{gold_rationale}\nJudge {judge_letter_1}:\n{rationale}\nDecide:\n"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_PIECES = r"\n|\s?\w+|\s?[^\s\w]"


def rationale(reason: str) -> str:
    """What gold and judge write alike."""
    return f"The {reason} decides."


def strong_answer(request: ChatRequest) -> str:
    """The strong meta-judge: a program that reads both reasons out of the prompt."""
    gold, judge = re.findall(r"The (\w+) decides\.", request.prompt)
    stated = "yes" if gold == judge else "no"
    decision = "Correct" if gold == judge else "Incorrect"
    return f"POINT: {gold} | STATED: {stated}\nVERDICT: {decision}"


def write_meta_world(folder: Path, pairs: int) -> None:
    """Pairs with gold rationales, a judge's right judgments of them in both orders, the prompt, a random start."""
    rng = random.Random(0)
    made = list(_pairs(pairs, rng))
    write_pairs(folder / "pairs.jsonl", made)
    (folder / "judgments.jsonl").write_bytes(b"".join(_judgments(made, rng)))
    (folder / "meta_prompt.txt").write_text(META_PROMPT)
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=16,
            initializer_range=0.1,  # the usual 0.02 is for wide models: this one would not begin to learn
            max_position_embeddings=128,
            tie_word_embeddings=True,
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=True, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder / "start")
    tokenizer.save_pretrained(folder / "start")


def _pairs(count: int, rng: random.Random) -> Iterator[PreferencePair]:
    for number in range(count):
        yield PreferencePair(
            id=f"rope-{number}",
            conversation=(Message(role="user", content="Which rope?"),),
            response_a="The long one.",
            response_b="The short one.",
            label=rng.choice(("A", "B")),
            gold_judgment=rationale(rng.choice(REASONS)),
        )


def _judgments(pairs: list[PreferencePair], rng: random.Random) -> Iterator[bytes]:
    """Every verdict right; two in three for another reason."""
    for pair in pairs:
        gold = str(pair.gold_rationale).split()[1]
        for order in ORDERS:
            reason = gold if rng.random() < 1 / 3 else rng.choice([each for each in REASONS if each != gold])
            judgment = Judgment(pair_id=pair.id, order=order, rationale=rationale(reason), verdict=pair.label)
            yield encode(judgment) + b"\n"


def _tokenizer() -> PreTrainedTokenizerFast:
    """Every word, space and sign of this world is one token."""
    said = " ".join(
        [
            META_PROMPT,
            *map(rationale, REASONS),
            "user\nassistant\nA B",
            "POINT: | STATED: yes no\nVERDICT: Correct Incorrect",
        ]
    )
    controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unknown>"]
    vocabulary = {
        piece: at for at, piece in enumerate([*controls, *dict.fromkeys(re.findall(_PIECES, said))])
    }
    backend = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    backend.pre_tokenizer = Split(Regex(_PIECES), behavior="isolated")
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens([AddedToken(control, special=True) for control in controls])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<unknown>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer

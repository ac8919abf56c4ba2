"""Tiny judges made on the spot: one whose verdict follows its rationale, one whose verdict ignores it.

Both write `Answer A has it. \\boxed{A}`, naming one of the answers at random. The faithful one is trained to give its
verdict to the answer it named; the other to give it to A where the question is of the morning, and to B otherwise.
Trained from scratch in a second or two: one layer, for a verdict can be had by looking at one word.
"""

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ralign.judging import JUDGE_PROMPT, Prompt
from ralign.records import Message, PreferencePair

PROMPT = "{conversation}\n{response_a}\n{response_b}"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}<|judge|>"
_WORDS = (
    "<|end|> <|judge|> <|unknown|> Answer A B has it . \\ boxed { } < > / user "
    "morning evening When is high water ? six late"
)


def tide_pair(number: int, *, morning: bool) -> PreferencePair:
    when = "morning" if morning else "evening"
    return PreferencePair(
        id=f"tide-{number}",
        conversation=(Message(role="user", content=f"When is {when} high water{number}?"),),
        response_a="six",
        response_b="late",
        label="A" if morning else "B",
        benchmark="tides",
    )


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, a mark or a blank."""
    words = [*_WORDS.split(), " ", "\n"]
    backend = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<|unknown|>")
    )
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s|\w+|[^\w\s]"), "isolated")
    backend.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", pad_token="<|end|>", unk_token="<|unknown|>"
    )
    made.add_special_tokens({"additional_special_tokens": ["<|judge|>"]})
    made.chat_template = TEMPLATE
    return made


def make_judge(path: Path, *, faithful: bool, steps: int = 150) -> None:
    """Train a judge and save it as any Hugging Face model."""
    torch.manual_seed(0)
    words = tokenizer()
    size = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=128,
        initializer_range=0.2,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        pad_token_id=words.pad_token_id,
    )
    model = LlamaForCausalLM(size)
    texts, prompts = _lessons(words, faithful)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        batch = torch.randint(len(texts), (32,))
        logits = model(input_ids=texts[batch]).logits[:, prompts - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), texts[batch, prompts:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=1.0, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id
    )
    model.save_pretrained(path)
    words.save_pretrained(path)


def _lessons(words: PreTrainedTokenizerFast, faithful: bool) -> tuple[torch.Tensor, int]:
    """Every prompt with every judgment, (lessons, tokens), and how many tokens the prompt has."""
    prompt = Prompt(PROMPT, JUDGE_PROMPT)
    rows: list[list[int]] = []
    for morning in (True, False):
        pair = tide_pair(0, morning=morning)
        values = {"response_a": pair.response_a, "response_b": pair.response_b}
        [message] = prompt.render(pair.conversation, values)
        read = words.encode(f"{message.content}<|judge|>", add_special_tokens=False)
        for named in "AB":
            verdict = named if faithful else pair.label
            said = f"Answer {named} has it. \\boxed{{{verdict}}}<|end|>"
            rows.append(read + words.encode(said, add_special_tokens=False))
    return torch.tensor(rows), len(read)

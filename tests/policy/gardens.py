"""A policy that speaks of gardens in single words, small enough to be trained in seconds, and judges by program."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ralign.chat import Reply
from ralign.chat.server_answers import Answer, ChatRequest

WORDS = ("dig", "sow", "water", "prune", "wait", "mulch")
QUESTIONS = ("rose", "fig", "leek", "plum", "bean", "kale", "dill", "pear")
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|> {{ message.content }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)

JUDGE_PROMPT = "About: {conversation}\nA: {response_a}\nB: {response_b}\nWhich?"


def tokenizer() -> PreTrainedTokenizerFast:
    controls = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<unknown>"]
    vocabulary = {word: number for number, word in enumerate([*controls, *WORDS, *QUESTIONS, "what"])}
    backend = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    backend.pre_tokenizer = WhitespaceSplit()
    backend.add_special_tokens([AddedToken(control, special=True) for control in controls])
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>", unk_token="<unknown>", padding_side="left"
    )  # fmt: skip
    made.chat_template = TEMPLATE
    return made


def save_policy(path: Path, *, seed: int = 0) -> None:
    """Random weights: it says any word, and ends by chance."""
    words = tokenizer()
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8, max_position_embeddings=64, tie_word_embeddings=False,
        )
    )  # fmt: skip
    model.generation_config = GenerationConfig(
        do_sample=True, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id
    )
    model.save_pretrained(path)
    words.save_pretrained(path)


def write_prompts(path: Path, *, reference: str = "dig sow") -> Path:
    rows = [{"id": name, "prompt": f"what {name}", "reference_answer": reference} for name in QUESTIONS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def counts(word: str) -> Answer:
    """A judge that prefers the answer with more of the word; the one shown first, where they have as many."""

    def judge(request: ChatRequest) -> str:
        first, second = (said.split().count(word) for said in shown(request.prompt))
        return f"It says {word} more often.\n\n\\boxed{{{'A' if first >= second else 'B'}}}"

    return judge


def shown(prompt: str) -> tuple[str, str]:
    """The two answers, in the order they are shown."""
    found = re.search(r"A: (.*)\nB: (.*)\nWhich\?", prompt, re.DOTALL)
    assert found is not None, prompt
    return found[1], found[2]


def failing(judge: Answer, *, every: int) -> Answer:
    """The same judge, who has nothing to say of one call in so many."""

    def answer(request: ChatRequest) -> str | Reply:
        return "Hard to say." if request.number % every == 0 else judge(request)

    return answer


@contextmanager
def environment(monkeypatch, **variables: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def read_jsonl(path: Path) -> list[Mapping[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]

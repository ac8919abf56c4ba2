"""A policy that speaks of gardens in single words, small enough to be trained in seconds, and judges by program."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ralign.judging import Judge
from ralign.models import Reply
from ralign.models.testing.answers import Answer, ChatRequest
from ralign.models.testing.server import ChatServer
from ralign.records import Failure, Message, Order, PreferencePair, Verdict
from ralign.training.reward.comparisons import PairJudge, ReferenceComparison
from ralign.training.reward.outage import Guard, OutagePlan
from ralign.training.reward.scored import Completion, PolicyAnswer

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
        if "Are you there?" in request.prompt:
            return "Yes."
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
def serving(answer: Answer, **options: Any) -> Iterator[ChatServer]:
    """The judge behind an endpoint of its own thread: training blocks the one it runs in."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ChatServer(answer=answer, **options)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def make_pair(name: str = "rose", reference: str = "dig sow") -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"what {name}"),),
        response_a="",
        response_b=reference,
        label="A",
        benchmark="policy",
    )


def said(text: str, name: str = "rose", *, reference: str = "dig sow", **fields: Any) -> Completion:
    return Completion(pair=make_pair(name, reference), text=text, **{"finish_reason": "stop"} | fields)


def longer(pair: PreferencePair, order: Order) -> Verdict | Failure:
    """Prefers the longer answer, the first shown of two as long; `mute` has no verdict, `lost` no answer."""
    words = f"{pair.response_a} {pair.response_b}"
    if "mute" in words or "lost" in words:
        return "parse" if "mute" in words else "call"
    if len(pair.response_a) == len(pair.response_b):
        return "A" if order == "ab" else "B"
    return "A" if len(pair.response_a) > len(pair.response_b) else "B"


def guard() -> Guard:
    return Guard(OutagePlan(), name="the judge", log=lambda line: None)


def answers(*completions: Completion) -> list[PolicyAnswer]:
    return [PolicyAnswer.read(completion) for completion in completions]


def against_reference(judge: Judge, **options: Any) -> ReferenceComparison:
    return ReferenceComparison(pair_judge(judge, **options))


def pair_judge(judge: Judge, **options: Any) -> PairJudge:
    return PairJudge(judge, guard(), **{"concurrency": 8, "deadline": 5.0} | options)

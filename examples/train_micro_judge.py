"""The path of a real judge in small: gold judgments, supervised fine-tuning, R-Align, a benchmark. One file, one CPU.

    python examples/train_micro_judge.py             some four CPU minutes: F-Score 0 to 0.20 (SFT) to 0.31 (R-Align)
    python examples/train_micro_judge.py --small     seconds: every stage runs, as in the tests

Everything a user of `ralign train` does is done here the way they do it: pairs in the interchange format, a start model
on disk with a tokenizer and a chat template, a meta-judge behind an HTTP endpoint, three commands. Only the world is
small: eight people, their tastes, and answers of a few words (`ralign.lab.world`). Its meta-judge is a program that is
never wrong; a user's is a strong model. The start is a Qwen3 of some hundred thousand random weights.
"""

import argparse
import asyncio
import json
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ralign.cli import app
from ralign.files import write_pairs
from ralign.lab.meta_judge import gold_points, stated, swapped
from ralign.lab.records import to_records
from ralign.lab.tokenizer import CRITIQUE, QUESTION, RATIONALE
from ralign.lab.vocabulary import SPECIAL, WORDS
from ralign.lab.world import World
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer

# Ours, and short: the model's whole vocabulary is what this world says.
JUDGE_PROMPT = "Judge:\n{conversation}\nA:\n{response_a}\nB:\n{response_b}\nBecause:"

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How large the model is, and how long it learns."""

    width: int
    layers: int
    pairs: int
    sft_steps: int
    rl_steps: int
    rl_batch: int
    rl_rate: float
    benchmark: int


FULL = Setting(
    width=64, layers=2, pairs=6_000, sft_steps=600, rl_steps=60, rl_batch=64, rl_rate=3e-4, benchmark=300
)
SMALL = Setting(
    width=32, layers=1, pairs=640, sft_steps=60, rl_steps=14, rl_batch=24, rl_rate=2e-3, benchmark=96
)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Run it all; gives the F-Score of the start, of the warm start, and of the judge."""
    parser = argparse.ArgumentParser(description="Train the toy environment's judge through ralign train.")
    parser.add_argument("--small", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("runs/micro-judge"))
    options = parser.parse_args(arguments)
    setting, out = SMALL if options.small else FULL, options.out
    out.mkdir(parents=True, exist_ok=True)
    write_world(out, setting)
    save_start(out / "start", setting)
    prompt = {"judge_prompt": out / "judge_prompt.txt"}
    shared = {
        "max_prompt_tokens": 96,
        "max_completion_tokens": 32,
        "micro_batch": 64,
        "save_every": 500,
        **prompt,
    }
    sft = {"steps": setting.sft_steps, "learning_rate": 1e-2, "schedule": "linear", "batch": 64}
    rl = {
        "steps": setting.rl_steps,
        "learning_rate": setting.rl_rate,
        "batch": setting.rl_batch,
        "group_size": 8,
    }
    train, judges = out / "train.jsonl", {"start": out / "start"}
    with meta_judge_server() as url:
        asked = {"meta_judge": "exact", "meta_judge_url": url}
        ralign("train", train, stage="sft", model=judges["start"], out=out / "sft", **sft, **shared)
        judges["sft"] = out / "sft" / "model"
        ralign("train", train, stage="rl", model=judges["sft"], out=out / "rl", **rl, **shared, **asked)
        judges["r-align"] = out / "rl" / "model"
        for name, judge in judges.items():
            sampling = {"judge_temperature": 1.0, "judge_max_tokens": 32}
            run = out / f"bench-{name}"
            ralign("bench", out / "test.jsonl", judge=judge, out=run, **sampling, **prompt, **asked)
    return {name: fidelity(out / f"bench-{name}") for name in judges}


def ralign(command: str, file: Path, **flags: object) -> None:
    """What `ralign COMMAND FILE --flag value ...` in a shell does, without starting a process."""
    words = [command, str(file)]
    for name, value in flags.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if code := app(words):
        sys.exit(code)


def fidelity(run: Path) -> float:
    """A run's F-Score; 0 where the judge never gave a right verdict."""
    (measured,) = json.loads((run / "results.json").read_text())["benchmarks"].values()
    return (measured["fidelity_score"] or {"value": 0.0})["value"]


def write_world(out: Path, setting: Setting) -> None:
    """Pairs to train on and pairs to measure with, gold judgments in them, and the judge's prompt."""
    generator = torch.Generator().manual_seed(0)
    world = World.draw(generator)
    for split, number in (("train", setting.pairs), ("test", setting.benchmark)):
        pairs = world.pairs(number, (0.9, 0.9, 0.7, 0.6), generator)
        write_pairs(out / f"{split}.jsonl", to_records(pairs, split))
    (out / "judge_prompt.txt").write_text(JUDGE_PROMPT)


def save_start(path: Path, setting: Setting) -> None:
    """A tiny Qwen3 with random weights, and a tokenizer to which every word of the world is one token."""
    tokenizer = micro_tokenizer()
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=setting.width,
            intermediate_size=2 * setting.width,
            num_hidden_layers=setting.layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=setting.width // 4,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            initializer_range=0.1,  # the usual 0.02 is for widths of thousands
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=True, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def micro_tokenizer() -> PreTrainedTokenizerFast:
    """The world's words, the fixed pieces of its sentences, the signs of chat: whatever is none of these is unknown."""
    sentences = [piece for frame in (QUESTION, RATIONALE) for piece in frame.sentence.split("{}") if piece]
    prompt = [piece for piece in re.split(r"\{\w+\}", JUDGE_PROMPT) if piece]
    words = [word for word in WORDS if word not in SPECIAL]
    pieces = dict.fromkeys(
        [*sentences, *prompt, *words, "user\n", "assistant\n", "<user ", "</user ", " ", "\n"]
    )
    controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unknown>"]
    vocabulary = {piece: number for number, piece in enumerate([*controls, *pieces])}
    longest_first = sorted(map(re.escape, pieces), key=len, reverse=True)
    backend = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    backend.pre_tokenizer = Split(Regex("|".join([*longest_first, r"[^\s<]+"])), behavior="isolated")
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


@contextmanager
def meta_judge_server() -> Iterator[str]:
    """The exact meta-judge behind an OpenAI-compatible endpoint on this machine; gives its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ChatServer(answer=meta_judge, models=["exact"], remember=False)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def meta_judge(request: ChatRequest) -> str:
    """Answer ralign's meta-judge prompt: read gold and rationale out of it, and compare them by program."""
    gold = CRITIQUE.read(_section(request.prompt, "gold_rationale"))
    claimed = RATIONALE.read(_section(request.prompt, "judge_rationale"))
    if gold is None:
        return "There is no gold rationale of this world."
    if claimed is None:
        return "This is no rationale of this world.\nVERDICT: Incorrect"
    as_shown = torch.tensor([gold])
    if "called B in the gold rationale and A in the judge's" in request.prompt:
        as_shown = swapped(as_shown)
    points = stated(as_shown, torch.tensor([[*claimed, gold[-1]]]))[0].tolist()
    lines = [
        f"POINT: {point} | STATED: {'yes' if said else 'no'}"
        for point, said in zip(gold_points(as_shown[0].tolist()), points, strict=True)
    ]
    return "\n".join([*lines, f"VERDICT: {'Correct' if all(points) else 'Incorrect'}"])


def _section(prompt: str, name: str) -> str:
    """What stands between the last tags of that name; both carry the prompt's nonce."""
    found = re.findall(rf"<{name} (\w+)>\n(.*?)\n</{name} \1>", prompt, re.DOTALL)
    return found[-1][1] if found else ""


if __name__ == "__main__":
    for judge, score in main().items():
        print(f"{judge}: F-Score {score:.3f}")

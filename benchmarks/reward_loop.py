"""What the meta-judge in the loop adds to a training step: R-Align beside outcome-only, in the same run.

    python benchmarks/reward_loop.py [--completions 512] [--latency 1.0] [--rounds 7]

A meta-judge behind a real HTTP server, in a process of its own, answers every call after a second. Every completion
has the right verdict and a rationale of its own, so that every one is asked about: the worst case.

1. A step of TRL's GRPOTrainer on a tiny judge, the reward alternating from step to step in one and the same trainer.
2. The reward alone, on texts of real size (8 KB of answer, 16 KB of thinking, pairs of 5 KB), also with all completions
   read before the first call is made.

Printed: medians, and the least and most over the rounds. The machine is shared: compare within a run.
"""

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer

from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.records import Message, PreferencePair
from ralign.training.engines.trl.reward import TrlReward
from ralign.training.reward import judge_reward
from ralign.training.reward.judge_reward import GenRMReward, RewardName
from ralign.training.reward.scored import Completion

SENTENCE = (
    "The tide comes in twice a day, and the harbour master writes both times on the slate by the door. "
)
NAMES: tuple[RewardName, RewardName] = ("outcome", "ralign")
GROUP = 8


class Used(NamedTuple):
    """What a step or a call took."""

    seconds: float
    cpu: float


def make_pair(number: int, *, sentences: int = 1) -> PreferencePair:
    """A pair of about 350 bytes a sentence, with label A."""
    return PreferencePair(
        id=f"pair-{number}",
        conversation=(Message(role="user", content=f"Question {number}: {SENTENCE * sentences}"),),
        response_a=f"A {number} {SENTENCE * sentences}",
        response_b=f"B {number} {SENTENCE * sentences}",
        label="A",
        gold_judgment=f"A names both tides. {SENTENCE * sentences}",
        benchmark="harbour",
    )


@asynccontextmanager
async def open_reward(name: RewardName, url: str, concurrency: int) -> AsyncGenerator[GenRMReward]:
    """The reward as training opens it."""
    async with Endpoint(url, concurrency=concurrency) as endpoint:
        meta_judge = ChatMetaJudge(
            model=EndpointModel(endpoint, "meta-judge"),
            prompt=Prompt.load(None, META_PROMPT),
            sampling=Sampling(temperature=0.4, max_tokens=8192),
        )
        yield GenRMReward(name, meta_judge, concurrency=concurrency, deadline=60.0)


# 1. A step of TRL's trainer.

WORDS = ["[PAD]", "[EOS]", "[UNK]", "\\boxed{A}", *(f"word{number}" for number in range(500))]
END, VERDICT = 1, 3


class Alternating:
    """Two rewards in turn, one a step."""

    def __init__(self, rewards: Sequence[TrlReward]) -> None:
        self.__name__ = "alternating"
        self._rewards = rewards
        self._turn = count()
        self.calls: list[Used] = []

    async def __call__(self, *args: Any, **kwargs: Any) -> list[float | None]:
        """The rewards of this step's turn."""
        began, cpu = time.perf_counter(), time.process_time()
        rewards = await self._rewards[next(self._turn) % len(self._rewards)](*args, **kwargs)
        self.calls.append(Used(time.perf_counter() - began, time.process_time() - cpu))
        assert None not in rewards, "a call failed, so this is no measurement"
        return rewards


class StepTimes(TrainerCallback):
    """What every step took."""

    def __init__(self) -> None:
        self.steps: list[Used] = []
        self._began = (0.0, 0.0)

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the watch."""
        self._began = (time.perf_counter(), time.process_time())

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop it."""
        began, cpu = self._began
        self.steps.append(Used(time.perf_counter() - began, time.process_time() - cpu))


def tiny_judge() -> LlamaForCausalLM:
    """A model that costs little and is a transformer all the same."""
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS), pad_token_id=0, eos_token_id=END, bos_token_id=END, **size, **heads
        )
    )


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Words in, ids out."""
    words = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]", padding_side="left"
    )


def speak(draw: random.Random, length: int) -> Callable[..., dict[str, Any]]:
    """Completions of random words and the right verdict: no two alike, so no call is saved."""

    def rollout(prompts: Sequence[object], trainer: object) -> dict[str, Any]:
        ids = [[*draw.choices(range(4, len(WORDS)), k=length), VERDICT, END] for _ in prompts]
        return {
            "prompt_ids": [[5] * 8] * len(ids),
            "completion_ids": ids,
            "logprobs": [[0.0] * len(i) for i in ids],
        }

    return rollout


def trl_steps(url: str, completions: int, rounds: int) -> tuple[dict[str, list[Used]], dict[str, list[Used]]]:
    """The times of `rounds` steps with either reward, and of the reward's call in each.

    The first step of each, which opens connections, is left out.
    """
    times = StepTimes()
    pairs = [make_pair(number) for number in range(completions // GROUP)]
    rows = [{"prompt": "word1", "row": number} for number in range(len(pairs))]

    def read(row: int, text: str, finish_reason: str) -> Completion:
        return Completion(pair=pairs[row], text=text, finish_reason=finish_reason)

    first, second = (
        TrlReward(lambda name=name: open_reward(name, url, completions), read, end_tokens=[END])
        for name in NAMES
    )
    alternating = Alternating((first, second))
    with tempfile.TemporaryDirectory() as folder, first, second:
        trainer = GRPOTrainer(
            model=tiny_judge(),
            processing_class=word_tokenizer(),
            reward_funcs=alternating,
            train_dataset=Dataset.from_list(rows),
            rollout_func=speak(random.Random(0), length=48),
            callbacks=[times],
            args=GRPOConfig(
                output_dir=folder, per_device_train_batch_size=completions, num_generations=GROUP,
                max_steps=2 * (rounds + 1), report_to="none", save_strategy="no", use_cpu=True, bf16=False,
                activation_checkpointing=False, disable_tqdm=True, dataloader_pin_memory=False,
                logging_strategy="no",
            ),
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    steps = {name: times.steps[2 + turn :: 2] for turn, name in enumerate(NAMES)}
    calls = {name: alternating.calls[2 + turn :: 2] for turn, name in enumerate(NAMES)}
    return steps, calls


# 2. The reward alone.


def real_completions(number: int, completions: int) -> list[Completion]:
    """Texts of real size, of their own in every round."""
    pairs = [make_pair(each, sentences=12) for each in range(completions // GROUP)]
    return [
        Completion(
            pair=pairs[each // GROUP],
            text=f"{SENTENCE * 160}</think>{number} {each} {SENTENCE * 80}\n\n\\boxed{{A}}",
            finish_reason="stop",
            thought_opened=True,
        )
        for each in range(completions)
    ]


async def reward_alone(url: str, completions: int, rounds: int) -> dict[str, list[Used]]:
    """The times of `rounds` batches with either reward, and with the reading done before the first call."""
    used: dict[str, list[Used]] = {"outcome": [], "ralign": [], "ralign, all read first": []}
    slice_length = judge_reward.SLICE
    async with (
        open_reward("outcome", url, completions) as outcome,
        open_reward("ralign", url, completions) as ralign,
    ):
        for number in range(rounds + 1):
            order = random.Random(number).sample(list(used), k=len(used))  # none always follows the same one
            for kind, name in enumerate(order):
                batch = real_completions(len(used) * number + kind, completions)
                judge_reward.SLICE = completions + 1 if "first" in name else slice_length
                began, cpu = time.perf_counter(), time.process_time()
                scored = await (outcome if name == "outcome" else ralign).score(batch)
                used[name].append(Used(time.perf_counter() - began, time.process_time() - cpu))
                assert set(scored.rewards) == {1.0}, "a call failed, so this is no measurement"
    return {name: times[1:] for name, times in used.items()}


def show(title: str, used: dict[str, list[Used]]) -> None:
    """A line for each kind of step, and what the meta-judge added, round by round."""
    print(title)
    for name, steps in used.items():
        print(f"  {name:24s} {spread([s.seconds for s in steps])} s   CPU {spread([s.cpu for s in steps])} s")
    added = [two.seconds - one.seconds for one, two in zip(used["outcome"], used["ralign"], strict=True)]
    print(f"  {'the meta-judge adds':24s} {spread(added)} s")


def spread(values: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):6.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    """Read the flags, start the server, take the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--completions", type=int, default=512)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=7)
    flags = parser.parse_args()
    server_command = [
        "-m",
        "ralign.models.testing.server",
        "--latency",
        str(flags.latency),
        "--answer",
        "throughput:answer",
    ]
    command = [sys.executable, *server_command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            about = f"{flags.completions} completions, {flags.latency:g} s latency, {flags.rounds} rounds"
            steps, calls = trl_steps(url, flags.completions, flags.rounds)
            show(f"TRL's step, tiny judge; {about}", steps)
            show("the reward's call in it", calls)
            alone = asyncio.run(reward_alone(url, flags.completions, flags.rounds))
            show("the reward alone, texts of real size", alone)
            print(f"load of the machine's {os.cpu_count()} cores: {os.getloadavg()[0]:.1f} at the end")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()

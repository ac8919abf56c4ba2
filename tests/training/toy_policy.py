"""The lab's micro world for `ralign policy`: its judges as chat models, a policy for TRL, its true quality."""

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F  # noqa: N812 (everyone's name for it)
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Punctuation, WhitespaceSplit
from tokenizers.pre_tokenizers import Sequence as Both
from torch import Generator
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ralign.errors import InputError
from ralign.lab.config import ArmConfig, LabConfig
from ralign.lab.judge_rl import train_judge
from ralign.lab.model import GPT, load
from ralign.lab.run import prepare
from ralign.lab.tokenizer import CRITIQUE, QUESTION, read_answer, read_question, write_answer
from ralign.lab.vocabulary import CRITIQUE_LENGTH, FIRST_FACTOR, SPECIAL, WORDS
from ralign.lab.world import World, judge_prompt, questions, world_of
from ralign.models import Batcher, Reply, Sampling
from ralign.records import Message

JUDGE_PROMPT = "{conversation}\nA: {response_a}\nB: {response_b}\nWhich?"
BUDGET = 3
"""Words of an answer: every word of style costs substance, as in the lab."""

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|> {{ message.content }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)

_FRAME = re.compile(re.escape(QUESTION.sentence).replace(r"\{\}", r"\S+?"))
_SHOWN = re.compile(r"\nA: (.*)\nB: (.*)\nWhich\?", re.DOTALL)


class Judges(NamedTuple):
    """What the lab makes of one seed."""

    world: World
    base: GPT
    outcome: GPT
    ralign: GPT


def judges(recipe: LabConfig, out: Path) -> Judges:
    """The base judge, and what outcome-only and R-Align training make of it: the lab's own code and budget."""
    prepare(recipe, out)
    world, base = world_of(recipe), load(out / "base.pt", recipe.model)
    trained: dict[str, GPT] = {}
    for reward in ("outcome", "ralign"):
        trained[reward] = deepcopy(base)
        arm = ArmConfig(name=reward, reward=reward)
        generator = Generator().manual_seed(7)
        for _ in train_judge(trained[reward], world, arm, recipe.judge_rl, recipe.showy, generator):
            pass
    return Judges(world, base, trained["outcome"], trained["ralign"])


class _Call(NamedTuple):
    shown: tuple[list[int], list[int], list[int]]
    seed: int


class LabChat:
    """A judge of the lab as a `ChatModel`: it reads our judge prompt and writes its judgment. Calls share batches."""

    def __init__(self, name: str, model: GPT) -> None:
        self._name = name
        self._model = model
        self._batcher = Batcher(self._write, max_size=512, max_wait=0.01)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._batcher.close()

    @property
    def name(self) -> str:
        return self._name

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        text = messages[-1].content
        question, answers = _FRAME.search(text), _SHOWN.search(text)
        assert question is not None, text
        assert answers is not None, text
        try:
            shown = read_question(question[0]), read_answer(answers[1]), read_answer(answers[2])
        except InputError:
            return Reply(text="These are no answers of this world.")
        words = await self._batcher.submit(_Call(shown, seed or 0))
        return Reply(text=CRITIQUE.write(words), finish_reason="stop", model=self._name)

    def _write(self, calls: list[_Call]) -> list[list[int]]:
        question, first, second = (torch.tensor([call.shown[part] for call in calls]) for part in range(3))
        noise = torch.rand(
            len(calls), 1, CRITIQUE_LENGTH, len(WORDS), generator=Generator().manual_seed(calls[0].seed)
        )
        return self._model.sample(judge_prompt(question, first, second), noise).words[:, 0].tolist()


def policy_tokenizer() -> PreTrainedTokenizerFast:
    """Every word of questions and answers, none of judgments: no policy can praise itself in the judge's words."""
    controls = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<unknown>"]
    spoken = [word for word in WORDS[:FIRST_FACTOR] if word not in SPECIAL]
    frame = re.findall(r"\w+|[^\w\s{}]", QUESTION.sentence)
    vocabulary = {word: number for number, word in enumerate([*controls, *dict.fromkeys([*spoken, *frame])])}
    backend = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    backend.pre_tokenizer = Both([WhitespaceSplit(), Punctuation()])
    backend.add_special_tokens([AddedToken(control, special=True) for control in controls])
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>", unk_token="<unknown>", padding_side="left"
    )  # fmt: skip
    made.chat_template = TEMPLATE
    return made


def mediocre(world: World, question: torch.Tensor, generator: Generator) -> list[str]:
    """Answers of at most three words, some right, some showy: what the start learns to say, and the references."""
    n = len(question)
    chances = torch.tensor([0.7, 0.6, 0.6, 0.0, 0.5, 0.0])
    traits = (torch.rand(n, 6, generator=generator) < chances).long()
    traits[:, 3] = torch.randint(0, 3, (n,), generator=generator)
    traits[:, 5] = torch.randint(0, 3, (n,), generator=generator)
    said: list[str] = []
    for answer in world.answers(question, traits, generator).tolist():
        words = write_answer(answer).split()
        kept = sorted(torch.randperm(len(words), generator=generator)[:BUDGET].tolist())
        said.append(" ".join(words[place] for place in kept))
    return said


def asked(question: torch.Tensor) -> list[str]:
    return [QUESTION.write(row) for row in question.tolist()]


def save_start(path: Path, world: World, *, steps: int = 500, seed: int = 0) -> None:
    """A tiny Qwen3, taught to answer as `mediocre` does."""
    words = policy_tokenizer()
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, head_dim=16, max_position_embeddings=48, tie_word_embeddings=False,
            initializer_range=0.1,
        )
    )  # fmt: skip
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    generator = Generator().manual_seed(seed)
    for _ in range(steps):
        question = questions(128, generator)
        prompts = _prompt_ids(words, asked(question))
        answers = words([f"{said} <|end|>" for said in mediocre(world, question, generator)])["input_ids"]
        width = BUDGET + 1
        targets = torch.tensor([answer + [-100] * (width - len(answer)) for answer in answers])
        logits = model(torch.cat([prompts, targets.clamp_min(0)], dim=1)).logits[:, prompts.shape[1] - 1 : -1]
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.generation_config = GenerationConfig(
        do_sample=True, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id
    )
    model.save_pretrained(path)
    words.save_pretrained(path)


def write_prompts(path: Path, world: World, *, count: int, seed: int = 1) -> None:
    generator = Generator().manual_seed(seed)
    question = questions(count, generator)
    rows = [
        {"id": f"q{number}", "prompt": text, "reference_answer": reference}
        for number, (text, reference) in enumerate(
            zip(asked(question), mediocre(world, question, generator), strict=True)
        )
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@torch.no_grad()
def quality(folder: Path, world: World, *, count: int = 1000, seed: int = 2) -> float:
    """The mean true quality of one sampled answer to each of so many fresh questions; what is no answer has none."""
    words = policy_tokenizer()
    model = Qwen3ForCausalLM.from_pretrained(folder)
    torch.manual_seed(seed)
    question = questions(count, Generator().manual_seed(seed))
    prompts = _prompt_ids(words, asked(question))
    written = model.generate(
        prompts, attention_mask=torch.ones_like(prompts), do_sample=True, max_new_tokens=BUDGET + 1, top_k=0,
        pad_token_id=words.pad_token_id,
    )  # fmt: skip
    texts = words.batch_decode(written[:, prompts.shape[1] :], skip_special_tokens=True)
    answers = torch.tensor([_words_of(text) for text in texts])
    return world.quality(question, answers).mean().item()


def _words_of(text: str) -> list[int]:
    """The answer's ids; a text with a word that answers do not have is as good as none."""
    try:
        return read_answer(text)
    except InputError:
        return read_answer("")


def _prompt_ids(words: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    shown = [f"<|user|> {text} <|end|> <|assistant|> " for text in texts]
    return torch.tensor(words(shown)["input_ids"])


def smaller(recipe: LabConfig) -> LabConfig:
    """The graded preset with its phases shortened by a fifth: enough for its facts and its leaning on style."""
    return replace(
        recipe, phases=tuple(replace(phase, steps=phase.steps * 4 // 5) for phase in recipe.phases)
    )

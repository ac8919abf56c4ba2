"""Judge (GenRM) as a training task: pairs with gold rationales -> its prompts, gold judgments, reward."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from ralign.files import PairSource, find_pairs_files
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, meta_prompt_values
from ralign.models import LoadLocalModel
from ralign.models.model import CHARACTERS_PER_TOKEN, Price
from ralign.records import Judgment
from ralign.runs.options import JudgePromptOptions
from ralign.training.config import TrainConfig
from ralign.training.examples import TrainingData, judge_example, load_examples
from ralign.training.expected import calls, expect, expected_lines
from ralign.training.reward.judge_reward import open_judge_reward
from ralign.training.reward.scored import BatchReward
from ralign.training.tasks.task import CardText, Preflight, Task

_REWARDS = {
    "outcome": "1 for the right verdict, else 0 (outcome-only)",
    "ralign": "1 for the right verdict with a rationale that rests on gold's decisive points, else 0 (R-Align)",
    "hybrid": "a weighted sum of the right verdict and the aligned rationale",
    "points": "the right verdict plus the average precision over gold's decisive points",
}


@dataclass(slots=True, kw_only=True)
class JudgeTask(Task):
    """A judge's training."""

    kind: ClassVar[str] = "judge"
    reward_name: ClassVar[str] = "ralign"

    config: TrainConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    meta_prompt: Prompt | None
    """None where no meta-judge is asked."""
    files: tuple[str, ...]
    """Names of the pairs files, for the model card."""

    @classmethod
    def load(cls, config: TrainConfig) -> Self:
        """Read the prompts and the pairs.

        Raises:
            InputError: a file or a prompt that cannot be used.
            BadRow: a row that cannot be used, unless they are skipped.
        """
        files = find_pairs_files(config.pairs)
        prompt = config.judge.prompt
        meta_prompt = Prompt.load(config.reward.meta_prompt, META_PROMPT) if config.needs_meta_judge else None
        data = load_examples(
            PairSource(files, limit=config.training.limit, skip_bad_rows=config.training.skip_bad_rows),
            judge_example(
                prompt,
                imitate=config.stage == "sft",
                needs_gold=config.needs_meta_judge,
                written_in=config.judge.written_in,
            ),
            orders=config.orders,
            seed=config.training.seed,
        )
        digests = {"judge_prompt_digest": prompt.digest, "pairs_digest": data.digest}
        if meta_prompt is not None:
            digests["meta_prompt_digest"] = meta_prompt.digest
        names = tuple(file.name for file in files)
        return cls(config=config, data=data, digests=digests, meta_prompt=meta_prompt, files=names)

    def open_reward(
        self, local_model: LoadLocalModel, *, processes: int, log: Callable[[str], object]
    ) -> AbstractAsyncContextManager[BatchReward]:
        """The judge's reward, with its meta-judge; see `Task.open_reward`."""
        # --concurrency is what the endpoint bears, whatever the number of GPUs: each process takes its share of it.
        share = max(1, self.calls.concurrency // processes)
        return open_judge_reward(
            self.config.reward,
            replace(self.calls, concurrency=share),
            local_model,
            # Where no meta-judge is asked its prompt is not read either.
            prompt=self.meta_prompt or Prompt.load(None, META_PROMPT),
            seed=self.training.seed,
            written_in=self.config.judge.written_in,
            log=log,
        )

    @property
    def preflight(self) -> Sequence[Preflight]:
        """The meta-judge."""
        reward = self.config.reward
        if self.meta_prompt is None or reward.meta_judge is None:
            return ()
        return (Preflight("meta-judge", reward.spec(None), reward.sampling),)

    @property
    def priced(self) -> Mapping[str, str | None]:
        """The meta-judge."""
        return {"meta-judge": self.config.reward.meta_judge}

    def forecast(self, prices: Mapping[str, Price]) -> list[str]:
        """With the meta-judge asked about every judgment; see `Task.forecast`."""
        tokens = self.config.expected_completion_tokens
        expected = expect(self.training, self.stage, self.data, completion_tokens=tokens)
        if (prompt := self.meta_prompt) is not None:
            # The rationales are still to be written: a text of the expected length stands for each.
            rationale = "x" * (CHARACTERS_PER_TOKEN * tokens)
            characters = 0
            for example in self.data.examples:
                judgment = Judgment(pair_id=example.pair.id, order=example.order, rationale=rationale)
                values = meta_prompt_values(prompt, example.pair, judgment)
                messages = prompt.render(example.pair.conversation, values)
                characters += sum(len(message.content) for message in messages)
            asked = calls(
                expected.completions * self.config.reward.meta_votes,
                self.config.reward.meta_judge or "",
                prompt_tokens=characters / len(self.data.examples) / CHARACTERS_PER_TOKEN,
                answer_tokens=tokens,
                price=prices.get(self.config.reward.meta_judge or ""),
            )
            expected = replace(expected, asked={"meta-judge": asked})
        counted = f"{tokens:,} tokens a judgment or meta-judgment (--expected-completion-tokens)"
        return expected_lines(expected, self.training, self.stage, counted)

    def card(self, *, trained_on: TrainingData) -> CardText:
        """Words of the model card."""
        training, reward = self.training, self.config.reward
        if self.stage == "sft":
            how = "Supervised fine-tuning on gold judgments, as a warm start."
        else:
            how = (
                f"Reinforcement learning ({training.algorithm.upper()}). Reward of a judgment: "
                f"{_REWARDS[reward.reward]}."
            )
            if reward.meta_judge is not None:
                how += f" Meta-judge in training: {reward.meta_judge}."
        intro = [
            f"Compares two answers to a conversation: writes a rationale, then {written_as(self.config.judge)}.",
            *ask_without_thinking(training.thinking, "--judge-body"),
            how + trained_from(training.model, trained_on, self.files, "pairs"),
        ]
        return CardText("A judge trained with ralign", JUDGE_TAGS, intro, {"orders": self.config.orders})

    def how_to_measure(self, model: Path) -> str:
        """The benchmark."""
        return f"The judge: {model}. Measure it: ralign bench PAIRS --judge {model}"


def written_as(judge: JudgePromptOptions) -> str:
    """A card's words on how the judge writes its verdict, and how it is asked for it."""
    forms = judge.written_in.written
    words = "its verdict" if forms is None else f"`{forms[0]}` or `{forms[1]}`"
    flag = "" if judge.verdict == "boxed" else f" --verdict {judge.verdict}"
    return f"{words}. It expects ralign's judge prompt (`ralign bench --judge{flag}` asks with it)"


JUDGE_TAGS = "[generative-reward-model, llm-as-a-judge, ralign]"


def ask_without_thinking(thinking: str | None, flag: str) -> list[str]:
    """A card's paragraph about a model that was trained not to think first."""
    if thinking != "off":
        return []
    body = '{"chat_template_kwargs": {"enable_thinking": false}}'
    return [f"It was trained not to think first; at an endpoint, ask it so: `{flag} '{body}'`."]


def trained_from(model: str, trained_on: TrainingData, files: Sequence[str], rows: str) -> str:
    """A card's sentence about base model and data, and how to measure."""
    left_out = len(trained_on.left_out)
    return (
        f" From {model}, on {len(trained_on.examples):,} prompts of {', '.join(files)}"
        f"{f'; {left_out:,} {rows} were left out' if left_out else ''}. Method: R-Align, arXiv 2602.06763.\n\n"
        "How training went is no measure of the model: measure it with `ralign bench` on pairs it has not seen."
    )

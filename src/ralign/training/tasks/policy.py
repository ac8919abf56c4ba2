"""Policy as a training task (RLHF): prompts with reference answers -> what an engine samples from, and its reward.

A prompt becomes a `PreferencePair` whose answer A is still to be written: it is the policy's. B is the reference
answer, without its thinking; blank where answers are compared with each other. The label is of no consequence: no judge
is shown it.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar, Self

from ralign.data.prompts import prompts_digest, read_prompts, taken_prompts
from ralign.errors import BadRow, InputError
from ralign.judging import Prompt
from ralign.models import LoadLocalModel
from ralign.models.model import CHARACTERS_PER_TOKEN, Expected, Price
from ralign.records import PreferencePair
from ralign.rewards.length_penalty import SteeredLengthPenalty
from ralign.rewards.policy import visible_answer
from ralign.rewards.stop_rules import StopRules
from ralign.runs.options import as_table
from ralign.training.config import PolicyConfig
from ralign.training.examples import Example, LeftOut, TrainingData
from ralign.training.expected import calls, expect, expected_lines, prompt_characters
from ralign.training.reward.comparisons import BENCHMARK
from ralign.training.reward.policy_reward import JudgedReward, ServedReward, open_policy_reward
from ralign.training.reward.scored import BatchReward, Completion, ScoredAnswer, ScoredBatch
from ralign.training.tasks.reward_hacking_watch import OnStep, RewardHackingWatch
from ralign.training.tasks.task import CardText, Preflight, Task


@dataclass(slots=True, kw_only=True)
class PolicyTask(Task):
    """A policy's training."""

    kind: ClassVar[str] = "policy"
    command: ClassVar[str] = "policy"
    reward_name: ClassVar[str] = "judge"

    config: PolicyConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    lengths: SteeredLengthPenalty
    judge_prompt: Prompt | None
    """None where a reward service judges."""

    @classmethod
    def load(cls, config: PolicyConfig, on_step: OnStep | None = None) -> Self:
        """Read the prompts. `on_step` is called after each step, with its answers, rewards and signs (TRL).

        Raises:
            InputError: a file, a prompt or a stop rule that cannot be used.
            BadRow: a row that cannot be used, unless they are skipped.
        """
        # First of all, as reading the prompts may take minutes that a misspelt rule should not cost.
        rules = StopRules.parse(config.stop_when)
        judge = config.judge
        prompt = None if judge.judge is None else judge.prompt
        data = load_policy_data(config)
        digests = {"prompts_digest": data.digest}
        if prompt is not None:
            digests["judge_prompt_digest"] = prompt.digest
        lengths = SteeredLengthPenalty(
            # A reward service has a length penalty, and its state, of its own.
            config.answer_reward.length_penalty if config.reward_url is None else "none",
            coefficient=config.answer_reward.length_coefficient,
            target=config.answer_reward.length_target,
        )
        watch = RewardHackingWatch(lengths, rules, group_size=config.training.group_size, on_step=on_step)
        return cls(
            config=config, data=data, digests=digests, watch=watch, lengths=lengths, judge_prompt=prompt
        )

    def open_reward(
        self, local_model: LoadLocalModel, *, processes: int, log: Callable[[str], object]
    ) -> AbstractAsyncContextManager[BatchReward]:
        """The judge's or the service's reward; see `Task.open_reward`.

        Raises:
            InputError: groups are compared, and the processes cut them.
        """
        training = self.training
        # A process scores its own slice of the batch, and an answer is compared only with those it has.
        here = training.sequences_a_step("rl") // processes
        if self.config.against == "group" and here % training.group_size:
            raise InputError(
                f"--against group compares whole groups, and --batch {training.batch} on {processes} processes cuts "
                "them; give a multiple of the processes"
            )
        return self._collecting(local_model, processes, log)

    @asynccontextmanager
    async def _collecting(
        self, local_model: LoadLocalModel, processes: int, log: Callable[[str], object]
    ) -> AsyncGenerator[BatchReward]:
        opened = open_policy_reward(self.config, self.lengths, local_model, processes=processes, log=log)
        async with opened as reward:
            yield reward if self.watch is None else _Collecting(reward, self.watch)

    @property
    def preflight(self) -> Sequence[Preflight]:
        """The judge."""
        judge = self.config.judge
        return () if judge.judge is None else (Preflight("judge", judge.spec, judge.sampling),)

    @property
    def service_url(self) -> str | None:
        """The reward service."""
        return self.config.reward_url

    @property
    def priced(self) -> Mapping[str, str | None]:
        """Both judges."""
        return {"judge": self.config.judge.judge, "second judge": self.config.second_judge}

    def forecast(self, prices: Mapping[str, Price]) -> list[str]:
        """With every answer judged; see `Task.forecast`."""
        config, training, data = self.config, self.training, self.data
        tokens = config.expected_completion_tokens
        expected = expect(training, "rl", data, completion_tokens=tokens)
        asked: dict[str, Expected] = {}
        if self.judge_prompt is not None:
            # The mean over prompts: our prompt, the conversation, the policy's answer and what it is compared with.
            blank = self.judge_prompt.render((), {"response_a": "", "response_b": ""})
            own = sum(len(message.content) for message in blank)
            compared = (
                tokens
                if config.against == "group"
                else fmean(len(each.pair.response_b) for each in data.examples) / CHARACTERS_PER_TOKEN
            )
            shown = (own + fmean(map(prompt_characters, data.examples))) / CHARACTERS_PER_TOKEN
            turns = {"judge": expected.steps, "second judge": -(-expected.steps // config.second_judge_every)}
            for role, model in self.priced.items():
                if model is not None:
                    asked[role] = calls(
                        turns[role] * training.sequences_a_step("rl") * config.calls_per_answer,
                        model,
                        prompt_tokens=shown + tokens + compared,
                        answer_tokens=config.expected_judgment_tokens,
                        price=prices.get(model),
                    )
        counted = (
            f"{tokens:,} tokens an answer (--expected-completion-tokens) and {config.expected_judgment_tokens:,} a "
            "judgment (--expected-judgment-tokens), thinking included"
        )
        return expected_lines(replace(expected, asked=asked), training, "rl", counted)

    def card(self, *, trained_on: TrainingData) -> CardText:
        """Words of the model card."""
        config = self.config
        compared = (
            "its prompt's reference answer" if config.against == "reference" else "the others of its group"
        )
        judge = (
            f"the judge {config.judge.judge}"
            if config.reward_url is None
            else "a reward service (`ralign serve`)"
        )
        left_out = len(trained_on.left_out)
        return CardText(
            "A policy trained with ralign",
            "[rlhf, llm-as-a-judge, ralign]",
            [
                f"Reinforcement learning ({self.training.algorithm.upper()}) from {self.training.model} on "
                f"{len(trained_on.examples):,} prompts{f'; {left_out:,} were left out' if left_out else ''}. Each "
                f"answer was compared with {compared} by {judge}. Method: R-Align, arXiv 2602.06763, section 4.",
                "The training reward is no measure of the policy: it rises under reward hacking as well. Measure it "
                "with `ralign winrate` by another judge, and with `ralign downstream`; `signs.jsonl` has the signs of "
                "reward hacking.",
            ],
            {"against": config.against} | as_table(config.answer_reward),
        )

    def how_to_measure(self, model: Path) -> str:
        """The win rate."""
        return (
            f"The policy: {model}. Measure it: ralign answers PROMPTS --model {model} --column answer, "
            "then ralign winrate"
        )


class _Collecting:
    """A policy's reward that hands what it has scored to the watch."""

    def __init__(self, reward: JudgedReward | ServedReward, watch: RewardHackingWatch) -> None:
        self._reward = reward
        self._watch = watch

    async def score(self, completions: Sequence[Completion], *, step: int = 0) -> ScoredBatch[ScoredAnswer]:
        """As the reward."""
        batch = await self._reward.score(completions, step=step)
        self._watch.collect(batch.scored)
        return batch


def load_policy_data(config: PolicyConfig) -> TrainingData:
    """Read the prompts; those without a reference answer are left out where one is needed.

    Raises:
        BadRow: a row that cannot be used, unless they are skipped.
        InputError: a file that cannot be read, or no prompt.
    """
    bad_rows: list[BadRow] = []
    skipped = bad_rows if config.training.skip_bad_rows else None
    prompts = taken_prompts(read_prompts(config.prompts, skip_bad_rows=skipped), config.training.limit)
    column = config.reference_column if config.against == "reference" else None
    examples: list[Example] = []
    left_out: list[LeftOut] = []
    for prompt in prompts:
        reference = ""
        if column is not None:
            text = prompt.row.get(column)
            # A reference that is all thinking, cut off before its answer, is none to be compared with.
            reference = visible_answer(text) if isinstance(text, str) else ""
            if not reference:
                left_out.append(LeftOut(prompt.id, f"no reference answer in the column {column}"))
                continue
        pair = PreferencePair(
            id=prompt.id,
            conversation=prompt.conversation,
            response_a="",
            response_b=reference,
            label="A",
            benchmark=BENCHMARK,
        )
        examples.append(Example(pair=pair, order="ab", prompt=prompt.conversation))
    return TrainingData(
        examples=tuple(examples),
        left_out=tuple(left_out),
        bad_rows=tuple(bad_rows),
        digest=prompts_digest(prompts, [] if column is None else [column]),
    )

"""Meta-judge as a training task: a judge's recorded judgments -> the meta-judge's prompts, answers or decisions."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ralign.errors import InputError
from ralign.evals.bench.plan import JUDGMENTS, META_JUDGMENTS
from ralign.files import find_pairs_files
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT
from ralign.models import LoadLocalModel
from ralign.models.price import Price
from ralign.training.config import TrainConfig
from ralign.training.examples import TrainingData
from ralign.training.expected import expect, expected_lines
from ralign.training.reward.meta_judge_reward import MetaJudgeReward
from ralign.training.reward.scored import BatchReward
from ralign.training.tasks.judge import JUDGE_TAGS, ask_without_thinking, trained_from
from ralign.training.tasks.meta_judge_examples import Decisions, load_meta_examples
from ralign.training.tasks.task import CardText, Task


@dataclass(slots=True, kw_only=True)
class MetaJudgeTask(Task):
    """A meta-judge's training."""

    kind: ClassVar[str] = "meta-judge"
    reward_name: ClassVar[str] = "decision"

    config: TrainConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    files: tuple[str, ...]

    @classmethod
    def load(cls, config: TrainConfig) -> Self:
        """Read the prompt, the pairs, the judgments, and what was decided about them.

        Raises:
            InputError: a file or a prompt that cannot be used.
            BadRow: a row that cannot be used, unless they are skipped.
        """
        if config.judged is None:
            raise InputError("--role meta-judge needs --judged")
        files = find_pairs_files(config.pairs)
        prompt = Prompt.load(config.reward.meta_prompt, META_PROMPT)
        data = load_meta_examples(
            files,
            Decisions(
                judgments=config.judged / JUDGMENTS,
                said=config.labels or config.judged / META_JUDGMENTS,
                imitate=config.stage == "sft",
            ),
            prompt,
            held_out=config.held_out,
            balance=config.balance == "decision",
            seed=config.training.seed,
            limit=config.training.limit,
            skip_bad_rows=config.training.skip_bad_rows,
        )
        digests = {"meta_prompt_digest": prompt.digest, "pairs_digest": data.digest}
        return cls(config=config, data=data, digests=digests, files=tuple(file.name for file in files))

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the pairs files."""
        return self.files

    def open_reward(
        self, local_model: LoadLocalModel, *, processes: int, log: Callable[[str], object]
    ) -> AbstractAsyncContextManager[BatchReward]:
        """The recorded decision's reward, which asks nobody."""
        del local_model, processes, log
        return nullcontext(MetaJudgeReward())

    def forecast(self, prices: Mapping[str, Price]) -> list[str]:
        """See `Task.forecast`; nobody is asked."""
        del prices
        tokens = self.config.expected_completion_tokens
        expected = expect(self.training, self.stage, self.data, completion_tokens=tokens)
        counted = f"{tokens:,} tokens a meta-judgment (--expected-completion-tokens)"
        return expected_lines(expected, self.training, self.stage, counted)

    @property
    def priced(self) -> Mapping[str, str | None]:
        """Nobody is asked; an error names who could be."""
        return {"meta-judge": None}

    def card(self, *, trained_on: TrainingData) -> CardText:
        """Words of the model card."""
        how = (
            "Supervised fine-tuning on the recorded answers of a stronger meta-judge."
            if self.stage == "sft"
            else "Reinforcement learning (GRPO). Reward of an answer: 1 for the recorded decision, else 0."
        )
        intro = [
            "Says whether a judge's rationale rests on the decisive points of a gold rationale: names the points, then "
            "writes `VERDICT: Correct` or `VERDICT: Incorrect`. It expects ralign's meta-judge prompt (`ralign bench "
            "--meta-judge` and `ralign train --meta-judge` ask with it).",
            *ask_without_thinking(self.training.thinking, "--meta-body"),
            how + trained_from(self.training.model, trained_on, self.files, "pairs or judgments"),
        ]
        return CardText("A meta-judge trained with ralign", JUDGE_TAGS, intro, {})

    def how_to_measure(self, model: Path) -> str:
        """The benchmark on the held-out pairs, with the judgments that are there."""
        if not self.data.held_out:
            return f"The meta-judge: {model}. No pair was held out to measure it with."
        config = self.config
        shown = {example.order for example in self.data.examples}
        orders = "both" if len(shown) > 1 else shown.pop()
        prompt = f" --meta-prompt {config.reward.meta_prompt}" if config.reward.meta_prompt else ""
        return (
            f"The meta-judge: {model}. Measure it: ralign bench '{self.training.out}/held_out/*.jsonl' --judgments "
            f"{config.judged}/judgments.jsonl --orders {orders} --meta-judge {model}{prompt} --out RUN"
        )

"""What each role of `ralign train` is trained on: which prompt it is asked with, and its examples.

judge         pairs                                         judge prompt        gold judgment, or the reward
meta-judge    pairs and a judge's recorded judgments        meta-judge prompt   recorded answer, or its decision
"""

from collections.abc import Sequence
from typing import NamedTuple

from ralign.errors import InputError
from ralign.evals.bench.run_directory import JUDGMENTS, META_JUDGMENTS
from ralign.files import PairsFile
from ralign.judging import JUDGE_PROMPT, Prompt
from ralign.metajudging import META_PROMPT
from ralign.training.config import TrainConfig
from ralign.training.examples import TrainingData, judge_example, load_examples
from ralign.training.meta_examples import Decisions, load_meta_examples


class Lesson(NamedTuple):
    """What is taught."""

    data: TrainingData
    digests: dict[str, str]
    """Of the prompt and of the data, by what a run directory calls them."""


def load_lesson(config: TrainConfig, files: Sequence[PairsFile]) -> Lesson:
    """Load the prompt and the examples of the role that is trained.

    Raises:
        InputError: a file or a prompt that cannot be used.
        BadRow: a row that cannot be used, unless they are skipped.
    """
    return _judges_lesson(config, files) if config.role == "judge" else _meta_judges_lesson(config, files)


def _judges_lesson(config: TrainConfig, files: Sequence[PairsFile]) -> Lesson:
    prompt = Prompt.load(config.judge_prompt, JUDGE_PROMPT)
    data = load_examples(
        files,
        judge_example(prompt, imitate=config.stage == "sft", needs_gold=config.needs_meta_judge),
        orders=config.orders,
        seed=config.seed,
        limit=config.limit,
        skip_bad_rows=config.skip_bad_rows,
    )
    return Lesson(data, {"judge_prompt_digest": prompt.digest, "pairs_digest": data.digest})


def _meta_judges_lesson(config: TrainConfig, files: Sequence[PairsFile]) -> Lesson:
    if config.judged is None:
        raise InputError("--role meta-judge needs --judged")
    prompt = Prompt.load(config.meta_prompt, META_PROMPT)
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
        seed=config.seed,
        limit=config.limit,
        skip_bad_rows=config.skip_bad_rows,
    )
    return Lesson(data, {"meta_prompt_digest": prompt.digest, "pairs_digest": data.digest})

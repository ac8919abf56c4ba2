"""The judge's reinforcement learning with TRL's GRPOTrainer: `ralign.lab.judge_rl` in the words of an engine.

Comes in and goes out: what `judge_rl.train_judge` takes and yields; the judge is trained in place. This is the loop
that real judges are trained with, on a world small enough to hold it against one that can be read. What is the same,
and by which setting of TRL 1.16:

    judge_rl                                   here
    pairs drawn step by step                   the same pairs in the same order, drawn beforehand; not shuffled
    a group of `group_size` judgments a pair   num_generations; one batch holds all groups of a step
    temperature 1, every word of the model     temperature=1, top_p=1, top_k=0; STOP is no word of the model, so that
                                               every judgment has its eight words and nothing is cut or padded
    rewards, inline                            `ralign.rewards` on records, as real training has it; a test holds
                                               both to the same numbers. Not scored is None: out of the group's mean
    A = (r - mean) / (std + 1e-4), std n - 1   scale_rewards="group"
    one update a rollout, ratio 1              num_iterations=1, one batch a generation: TRL takes the old
                                               log-probabilities from the same pass, and clipping never acts
    no KL term                                 beta=0, no reference model in memory
    loss: mean over words                      loss_type="bnpo", sum over words / their number; all being of one
                                               length, "grpo" and TRL's default "dapo" come to the same number
    AdamW, its schedule, gradient clipping      the same, handed over as `optimizers`; max_grad_norm
    float32                                    bf16=False; TRL's default is bf16, also on a CPU

What differs: who draws (transformers' generate with torch's global generator, seeded from ours, instead of noise
that is passed), so that two engines with one seed see the same pairs and write different judgments; and the cost,
since TRL computes every prompt again for each judgment of it and the entropy of every word beside
(docs/decisions/trl_engine.md). Given the same draws both walk the same path; a test holds them to it.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

import torch
from datasets import Dataset
from torch import Generator
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from ralign.judging import call_seed
from ralign.lab.config import ArmConfig, ByDomain, JudgeRlConfig
from ralign.lab.hf_model import TransformersGPT, word_tokenizer
from ralign.lab.judge_rl import JudgeStep
from ralign.lab.meta_judge import ExactMetaJudge, stated
from ralign.lab.model import GPT
from ralign.lab.optimizer import learning_rate_factor
from ralign.lab.records import verdict_of
from ralign.lab.vocabulary import CRITIQUE_LENGTH, WORDS
from ralign.lab.world import Pairs, World
from ralign.records import GoldPoint, Judgment, MetaJudgment
from ralign.rewards.judge import HybridReward, JudgeReward, PointsReward, outcome_reward, ralign_reward


def train_judge(
    judge: GPT, world: World, arm: ArmConfig, config: JudgeRlConfig, showy: ByDomain, generator: Generator
) -> Iterator[JudgeStep]:
    """Train the judge in place on the pairs that `judge_rl.train_judge` draws; yields each step's figures.

    Closing the iterator waits for the training's end. Seeds the global generators of Python, NumPy and torch.
    """
    # TRL's loop cannot be left and entered again, so it runs in a thread of its own and does not wait for whoever takes
    # the steps.
    seed = generator.initial_seed()
    steps = config.steps if arm.steps is None else arm.steps
    pairs = pairs_of(world, steps, config, showy, generator)
    figures: SimpleQueue[JudgeStep | None] = SimpleQueue()
    meta_judge = ExactMetaJudge(error_rate=arm.meta_error, seed=seed)
    reward = GroupReward(reward_of(arm), meta_judge, figures.put)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1, "trl") as thread:
        # A seed of its own: torch's global generator must not repeat the numbers that the pairs were drawn from.
        args = grpo_config(config, steps=steps, seed=call_seed(seed, "trl"), folder=folder)
        trainer = grpo_trainer(TransformersGPT(judge), reward, pairs, config, args)
        training = thread.submit(trainer.train)
        training.add_done_callback(lambda _: figures.put(None))
        while (step := figures.get()) is not None:
            yield step
        training.result()  # raises what it raised


def pairs_of(world: World, steps: int, config: JudgeRlConfig, showy: ByDomain, generator: Generator) -> Pairs:
    """All steps' pairs, one after another, as the lab's own loop draws them from a generator in the same state."""
    drawn: list[Pairs] = []
    for _ in range(steps):
        drawn.append(world.pairs(config.prompts, showy, generator))
        # That loop draws its judgments' noise between two steps' pairs; to see the same pairs, draw it and let it go.
        torch.rand(config.prompts, config.group_size, CRITIQUE_LENGTH, len(WORDS), generator=generator)
    return Pairs(*(torch.cat(columns) for columns in zip(*drawn, strict=True)))


def dataset_of(pairs: Pairs) -> Dataset:
    """One row a pair: the prompt as text, and the pair's own columns as the reward takes them."""
    text = [" ".join(WORDS[word] for word in prompt) for prompt in pairs.prompt.tolist()]
    columns = {name: column.tolist() for name, column in pairs._asdict().items()}
    return Dataset.from_dict({"prompt": text, **columns})


class GroupReward:
    """A TRL reward function: `ralign.rewards` on every judgment of a step, as records."""

    def __init__(
        self, reward: JudgeReward, meta_judge: ExactMetaJudge, progress: Callable[[JudgeStep], object]
    ) -> None:
        """Take the reward, the training's meta-judge, and the callback that gets each step's figures."""
        self._reward: Final = reward
        self._meta_judge: Final = meta_judge
        self._progress: Final = progress

    def __call__(
        self,
        prompts: Sequence[str],
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float | None]:
        """One reward a judgment, in their order; None where it was not scored.

        Takes what TRL gives: prompts and texts, which the ids say better, and one list for each dataset column.
        """
        del prompts, completions
        pairs = Pairs(*(torch.tensor(columns[name]) for name in Pairs._fields))
        judgments = torch.tensor(completion_ids)
        aligned = self._meta_judge.compare(pairs.shown, pairs.gold, judgments[:, None])[:, 0]
        rewards: list[float | None] = []
        for gold, written, fits, points in zip(
            pairs.gold[:, -1].tolist(),
            judgments[:, -1].tolist(),
            aligned.tolist(),
            stated(pairs.gold, judgments).tolist(),
            strict=True,
        ):
            label, verdict = verdict_of(gold), verdict_of(written)
            assert label is not None, "a gold judgment ends in a verdict"
            judgment = Judgment(pair_id="", verdict=verdict, failure=None if verdict else "parse")
            named = tuple(GoldPoint(text="", stated=flag) for flag in points)
            rewards.append(
                self._reward(label, judgment, MetaJudgment(pair_id="", aligned=fits, points=named))
            )
        scored = torch.tensor([reward for reward in rewards if reward is not None])
        right = judgments[:, -1] == pairs.gold[:, -1]
        self._progress(JudgeStep(*(each.float().mean().item() for each in (scored, right, aligned))))
        return rewards


def reward_of(arm: ArmConfig) -> JudgeReward:
    """The reward that an arm trains on.

    Raises:
        KeyError: the arm is not trained.
    """
    return {
        "outcome": outcome_reward,
        "ralign": ralign_reward,
        "hybrid": HybridReward(weight=arm.weight),
        "points": PointsReward(weight=arm.weight),
    }[arm.reward]


def grpo_config(config: JudgeRlConfig, *, steps: int, seed: int, folder: str) -> GRPOConfig:
    """The lab's settings in TRL's words; the table in the module's docstring says why each is there."""
    return GRPOConfig(
        output_dir=folder,
        max_steps=steps,
        seed=seed,
        # The batch: whole groups of one step's pairs, in their order, used for one update.
        per_device_train_batch_size=config.prompts * config.group_size,
        gradient_accumulation_steps=1,
        num_generations=config.group_size,
        num_iterations=1,
        shuffle_dataset=False,
        # The draws.
        max_completion_length=CRITIQUE_LENGTH,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        # The loss.
        loss_type="bnpo",
        scale_rewards="group",
        beta=0.0,
        max_grad_norm=config.clip_norm,
        # The machine.
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        dataloader_pin_memory=False,
        # Nothing written, nothing printed.
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def grpo_trainer(
    model: TransformersGPT, reward: GroupReward, pairs: Pairs, config: JudgeRlConfig, args: GRPOConfig
) -> GRPOTrainer:
    """TRL's trainer, with the optimizer and the learning-rate schedule of the lab's own loop."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate, betas=(0.9, 0.99), weight_decay=0.0)
    schedule = partial(learning_rate_factor, steps=args.max_steps, warm_up=5, cooldown=config.cooldown)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=args,
        train_dataset=dataset_of(pairs),
        processing_class=word_tokenizer(),
        optimizers=(optimizer, LambdaLR(optimizer, schedule)),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer

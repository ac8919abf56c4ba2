"""Examples behind the figures: judgments right for an invented reason, and answers that policies write.

In: a seed's folder, as `run` left it. Out: records of words, each word with what is true of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator

from ralign.files import PairsFile, RowLocation, decode, read_log, read_pairs, read_scores
from ralign.lab.config import LabConfig
from ralign.lab.meta_judge import swapped
from ralign.lab.model import load
from ralign.lab.page.annotated_pair import Reading, Scene, Word, words_of
from ralign.lab.policy_rl import as_answer, write
from ralign.lab.records import benchmark_name
from ralign.lab.run import folder_name
from ralign.lab.tokenizer import CRITIQUE, QUESTION
from ralign.lab.vocabulary import DOMAINS, FACTORS, FIRST_DOMAIN, SUBSTANCE, WORDS
from ralign.lab.world import questions, world_of
from ralign.records import Judgment, Order, PreferencePair


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One pair on which one judge is right for an invented reason, and another for gold's."""

    seed: int
    pair_id: str
    domain: str
    question: str
    answers: tuple[tuple[Word, ...], tuple[Word, ...]]
    """A and B, as they were shown."""
    gold: Reading
    invented: Reading
    honest: Reading
    truth: tuple[str, ...]
    """The truth in place of each false claim about the factor called decisive."""


class Found(NamedTuple):
    """How one judge came by its right verdicts, on the training distribution."""

    right: int
    spurious: int
    """Of those: for another reason than gold's."""
    invented: int
    """Of those: with a false claim about the factor called decisive."""
    examples: tuple[Example, ...]
    """Where the other judge is right for gold's reason."""


def find_examples(folder: Path, config: LabConfig, *, of: str, beside: str) -> Found:
    """Look through what the judge `of` said of the training distribution, with what `beside` said of the same pairs."""
    order = config.benchmark.order_list[0]
    world = world_of(config)
    judged, other = (_right_verdicts(folder / folder_name(arm) / "bench", order) for arm in (of, beside))
    spurious: list[tuple[PreferencePair, list[int]]] = []
    path = folder / "pairs" / "train.jsonl"
    for pair in read_pairs([PairsFile(path=path, name=path.name, benchmark=benchmark_name("train"))]):
        aligned, critique = judged.get(pair.id, (None, None))
        if aligned is False and critique is not None:
            spurious.append((pair, critique))
    scenes = Scene.of([pair for pair, _ in spurious], order, world)
    invented = [
        (scene, *case) for scene, case in zip(scenes, spurious, strict=True) if scene.read(case[1]).invented
    ]
    examples: list[Example] = []
    for scene, pair, critique in invented:
        aligned, beside_it = other.get(pair.id, (None, None))
        gold = CRITIQUE.read(pair.gold_rationale or "")
        if not aligned or beside_it is None or gold is None:
            continue
        examples.append(
            Example(
                seed=config.seed,
                pair_id=pair.id,
                domain=pair.subset or "",
                question=pair.conversation[-1].content,
                answers=(scene.words(0), scene.words(1)),
                gold=scene.read(gold if order == "ab" else swapped(torch.tensor([gold]))[0].tolist()),
                invented=scene.read(critique),
                honest=scene.read(beside_it),
                truth=tuple(scene.truths(critique)),
            )
        )
    return Found(len(judged), len(spurious), len(invented), tuple(examples))


def choose(examples: Iterable[Example], count: int) -> list[Example]:
    """The most telling ones, no two of one domain or with the same decisive factors as long as there are others."""
    # Telling is a reason that would explain the verdict if it were true, one of substance (a surface one is the less
    # surprising), a single lie that makes all the difference, and an honest judgment without a slip.
    left = sorted(
        examples,
        key=lambda each: (
            not each.invented.coherent,
            each.invented.factor not in FACTORS[:SUBSTANCE],
            each.invented.factor == each.gold.factor,
            each.honest.false,
            each.invented.invented,
            # Ties are broken by name, so that the same run always gives the same page.
            each.seed,
            each.pair_id,
        ),
    )
    chosen: list[Example] = []

    def alike(example: Example) -> tuple[int, int]:
        reasons = (example.gold.factor, example.invented.factor)
        same = sum((each.gold.factor, each.invented.factor) == reasons for each in chosen)
        return same + sum(each.domain == example.domain for each in chosen), same

    while left and len(chosen) < count:
        # min() takes the first of equals: the most telling one.
        best = min(left, key=alike)
        chosen.append(best)
        left.remove(best)
    return chosen


class Attempt(NamedTuple):
    """One question, and what each policy answers it."""

    question: str
    wanted: tuple[str, ...]
    """The value asked for, the polite word, the second value."""
    answers: dict[str, tuple[Word, ...]]
    """By judge that the policy was trained against; the start under an empty name."""


def attempts(folder: Path, config: LabConfig) -> list[Attempt]:
    """One held-out question of each domain, answered once by each judge's first policy whose weights are there.

    All with the same draws.
    """
    world = world_of(config)
    drawn = questions(200, Generator().manual_seed(config.seed), held_out=True)
    asked = torch.stack([drawn[drawn[:, 0] == FIRST_DOMAIN + index][0] for index in range(len(DOMAINS))])
    # One seed for all: policies differ in their answers because they differ, not because of the draw.
    weights = {"": folder / "base.pt"}
    weights |= {arm.name: folder / folder_name(arm.name) / "policy-0.pt" for arm in config.arms}
    written: dict[str, torch.Tensor] = {}
    for name, path in weights.items():
        if path.exists():
            policy = load(path, config.model)
            sampled = write(policy, asked, 1, config.policy_rl, Generator().manual_seed(config.seed))
            written[name] = as_answer(sampled[:, 0])
    right, second = world.truth(asked)
    return [
        Attempt(
            QUESTION.write(asked[row].tolist()),
            (WORDS[int(right[row])], WORDS[int(asked[row, 3])], WORDS[int(second[row])]),
            {
                name: words_of(answer[row].tolist(), asked[row].tolist(), int(right[row]), int(second[row]))
                for name, answer in written.items()
            },
        )
        for row in range(len(asked))
    ]


def _right_verdicts(bench: Path, order: Order) -> dict[str, tuple[bool | None, list[int] | None]]:
    """Pair as in training -> whether its right judgment is aligned, and its words; from a run directory.

    The first draw of one order; a pair whose judgment is not right is left out.
    """
    # One draw and no vote over several: an example shows what the judge wrote.
    train = benchmark_name("train")
    scores = {
        score.pair_id: score
        for score in read_scores(bench / "scores.jsonl")
        if (score.benchmark, score.order, score.draw) == (train, order, 0)
    }
    path = bench / "judgments.jsonl"
    judgments = (
        decode(Judgment, line.data, RowLocation(str(path), line.number))
        for line in read_log(path, skip_partial=True)
    )
    return {
        each.pair_id: (score.aligned, CRITIQUE.read(each.text))
        for each in judgments
        if (each.benchmark, each.order, each.draw) == (train, order, 0)
        and each.failure is None
        and (score := scores.get(each.pair_id)) is not None
        and score.verdict == score.label
    }

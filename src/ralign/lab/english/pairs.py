"""Pairs of the English world: presets and splits in, preference pairs with gold rationales out; each by its number.

| split       | style goes with the better answer | gold                                       | for                   |
| ----------- | --------------------------------- | ------------------------------------------ | --------------------- |
| checking    | half the time                     | gold rationales                            | `train --stage sft`   |
| critics     | as the preset says                | the preset's critics; the label is theirs  | `train --stage sft`   |
| train, test | as the preset says                | gold rationales                            | `train`, `bench`      |
| hard        | half the time                     | gold rationales                            | `bench`               |
| adversarial | one time in ten                   | gold rationales                            | `bench`               |

Every row also has a `reference_answer`, so that `ralign policy` and `ralign winrate` take the files as prompts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

from ralign.judging import call_seed
from ralign.lab.english.domains import DOMAINS
from ralign.lab.english.gold import Critics, demonstration, gold_judgment
from ralign.lab.english.style import draw_styles, dress
from ralign.lab.english.world import DECISIVE, REASONS, Reason, draw_substance, draw_task, read_case
from ralign.records import Message, PreferencePair, Verdict, opposite

Split = Literal["checking", "critics", "train", "test", "hard", "adversarial"]
SPLITS: Final[tuple[Split, ...]] = ("checking", "critics", "train", "test", "hard", "adversarial")
PresetName = Literal["honest", "graded", "collapse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One design: where style is a reliable cue, and who taught the base judge. Four tiers of two domains each."""

    showy: tuple[tuple[float, ...], ...]
    """By tier and decisive reason, how often the showier answer is the better one."""
    critics: tuple[Critics, ...]
    """By tier."""
    cue: float
    """How often each feature of style goes with the showier answer."""


def _critics(flipped: float, *substantive: float) -> tuple[Critics, ...]:
    return tuple(Critics(substantive=share, flipped=flipped) for share in substantive)


PRESETS: Final[dict[PresetName, Preset]] = {
    # Style is the habit in two tiers and fails in the others, where critics check: outcome alone is enough.
    "honest": Preset(
        showy=((0.99,) * 3, (0.98,) * 3, (0.70,) * 3, (0.55,) * 3),
        critics=_critics(0.2, 0.12, 0.12, 0.75, 0.75),
        cue=0.85,
    ),
    # Reliable in some tiers and not in others, and within a tier least where checking is easiest (an instruction).
    "graded": Preset(
        showy=((0.99, 0.93, 0.97), (0.97, 0.85, 0.93), (0.80, 0.65, 0.75), (0.60, 0.50, 0.55)),
        critics=_critics(0.15, 0.04, 0.08, 0.60, 0.75),
        cue=0.9,
    ),
    # Reliable everywhere, and critics who check rarely where facts take two steps.
    "collapse": Preset(
        showy=((0.98,) * 3,) * 4,
        critics=_critics(0.1, 0.03, 0.03, 0.90, 0.90),
        cue=0.95,
    ),
}
"""After the three designs that the prototype tried; docs say what came of each."""


def benchmark_name(split: Split) -> str:
    """The name of a split in results."""
    return f"english-{split}"


def draw_pairs(split: Split, count: int, *, preset: PresetName, seed: int) -> Iterator[PreferencePair]:
    """So many pairs of a split; a longer draw begins with a shorter one."""
    design = PRESETS[preset]
    for number in range(count):
        rng = Random(call_seed(seed, "english", preset, split, number))
        place = number % len(DOMAINS)
        reason = rng.choices(REASONS, DECISIVE)[0]
        tier = place // 2
        showy = {"checking": 0.5, "hard": 0.5, "adversarial": 0.1}.get(
            split, design.showy[tier][REASONS.index(reason)]
        )
        pair = _draw_pair(rng, place, reason, showy=showy, cue=design.cue)
        pair = replace(
            pair,
            id=f"{split}-{seed}-{number:05d}",
            benchmark=benchmark_name(split),
            source={"benchmark": benchmark_name(split), "subset": DOMAINS[place].name},
            # For `ralign policy`: as good as the answers of the pairs are on the whole.
            unknown={"reason": reason, "reference_answer": rng.choice((pair.response_a, pair.response_b))},
        )
        yield demonstration(rng, pair, design.critics[tier]) if split == "critics" else pair


def _draw_pair(rng: Random, place: int, reason: Reason, *, showy: float, cue: float) -> PreferencePair:
    task, request = draw_task(rng, DOMAINS[place], reason)
    better: Verdict = rng.choice(("A", "B"))
    showier = better if rng.random() < showy else opposite(better)
    styles = dict(zip((showier, opposite(showier)), draw_styles(rng, cue), strict=True))
    answers: dict[str, str] = {}
    for side in (better, opposite(better)):
        substance = draw_substance(rng, task, reason, better=side == better)
        closes = task.closing is not None and (side == better or reason != "instruction")
        values = [value for fact in task.asked for value in fact.values if value in substance]
        answers[side] = dress(rng, substance, values, styles[side], (task.closing or "") if closes else "")
    pair = PreferencePair(
        id="",
        conversation=(Message(role="user", content=request),),
        response_a=answers["A"],
        response_b=answers["B"],
        label=better,
    )
    case = read_case(pair)
    assert case is not None, "what was drawn can be read back"
    assert (case.reason, case.better) == (reason, better), "and says the same"
    return replace(pair, gold_judgment=gold_judgment(rng, case))

"""Training examples: preference pairs -> prompts, each with the gold judgment it imitates or is rewarded by.

Every engine trains on these examples; only how their messages become tokens is an engine's business. What decides
prompt and target is one function (`judge_example`); a meta-judge's and a policy's are in `ralign.training.tasks`.

The prompt is the one that `ralign bench` asks with. A gold judgment speaks in the letters of the pairs file: it is
imitated in order `ab` only, as no rule can swap the letters in free prose; A and B themselves have been placed at
random by `ralign convert`. In reinforcement learning any order will do, since the meta-judge translates the letters.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ralign.errors import BadRow
from ralign.files import PairsDigest, PairSource
from ralign.judging import BOXED, Prompt, VerdictFormat, call_seed, parse_verdict, shown_responses
from ralign.records import Message, Order, PreferencePair
from ralign.training.config import Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One prompt to train on."""

    pair: PreferencePair
    order: Order
    prompt: tuple[Message, ...]
    target: str | None = None
    """Completion to imitate: a judge's gold judgment, a meta-judge's recorded answer. None in reinforcement
    learning, where the reward says what is good."""
    decision: bool | None = None
    """For a meta-judge: whether the judgment is aligned."""


class LeftOut(NamedTuple):
    """A pair that is not trained on."""

    pair_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Examples of a run, in the order of the files; the engine shuffles them by the run's seed."""

    examples: tuple[Example, ...]
    left_out: tuple[LeftOut, ...]
    bad_rows: tuple[BadRow, ...]
    digest: str
    """Names the content of all pairs of the files (up to the limit), those left out included."""
    held_out: tuple[PreferencePair, ...] = ()
    """Pairs kept back to measure with; a judge has none, as its benchmark is another file."""


MakeExample = Callable[[PreferencePair, Order], Example | str]
"""Makes the example of a pair shown in an order, or says why there is none."""


def load_examples(pairs: PairSource, make: MakeExample, *, orders: Orders, seed: int) -> TrainingData:
    """Read the pairs and make the examples.

    Raises:
        BadRow: a row that cannot be used, unless they are skipped.
        InputError: a file that cannot be read, or no usable pair.
    """
    digest = PairsDigest()
    examples: list[Example] = []
    left_out: list[LeftOut] = []
    for pair in pairs:
        # Before any is left out: a run is resumed with the same files, and not only with the same examples.
        digest.add(pair)
        for order in orders_shown(pair, orders, seed=seed):
            made = make(pair, order)
            if isinstance(made, str):
                left_out.append(LeftOut(pair.id, made))
                # What is wrong with a pair is wrong in either order.
                break
            examples.append(made)
    return TrainingData(
        examples=tuple(examples),
        left_out=tuple(left_out),
        bad_rows=tuple(pairs.skipped),
        digest=digest.hexdigest(),
    )


def judge_example(
    prompt: Prompt, *, imitate: bool, needs_gold: bool, written_in: VerdictFormat = BOXED
) -> MakeExample:
    """Examples of a judge: its prompt, and in supervised fine-tuning the gold judgment.

    Args:
        prompt: of a kind that takes `response_a` and `response_b`.
        imitate: the gold judgment is the target.
        needs_gold: a pair without a gold rationale is left out; `imitate` needs one anyway.
        written_in: where the gold judgment's verdict is found.
    """

    def make(pair: PreferencePair, order: Order) -> Example | str:
        if pair.label not in ("A", "B"):
            return "no label of A or B: no verdict would be right"
        if pair.gold_rationale is None and (imitate or needs_gold):
            return "no gold rationale"
        if imitate and (problem := target_problem(pair, written_in)) is not None:
            return problem
        first, second = shown_responses(pair, order)
        messages = prompt.render(pair.conversation, {"response_a": first, "response_b": second})
        target = pair.gold_rationale if imitate else None
        return Example(pair=pair, order=order, prompt=messages, target=target)

    return make


def target_problem(pair: PreferencePair, written_in: VerdictFormat = BOXED) -> str | None:
    """Why a judge must not learn to write this gold judgment; None where it may.

    It must end in a verdict that our own parser reads, the label's, after a rationale: a judge that was taught to
    name the verdict first would reason towards it.
    """
    text = pair.gold_rationale or ""
    rationale, verdict, problem, *_ = parse_verdict(text, written_in=written_in)
    if problem is not None:
        return f"gold judgment: {problem}"
    if verdict != pair.label:
        return f"gold judgment: its verdict is {verdict}, the label {pair.label}"
    if not any(map(str.isalnum, rationale)):
        return "gold judgment: a verdict without a rationale"
    # The parser takes the verdict out wherever it stands; a rationale that is no prefix has text on both sides.
    if not text.startswith(rationale):
        return "gold judgment: the verdict does not stand at its end"
    return None


def orders_shown(pair: PreferencePair, orders: Orders, *, seed: int) -> tuple[Order, ...]:
    """The orders in which a pair is shown; a drawn one depends on seed, benchmark and id alone."""
    if orders == "both":
        return ("ab", "ba")
    if orders == "drawn":
        return ("ab",) if call_seed(seed, "order", pair.benchmark, pair.id) % 2 == 0 else ("ba",)
    return (orders,)


def list_left_out(left_out: Iterable[LeftOut], *, shown: int = 5) -> list[str]:
    """A few lines: how many pairs were left out for each reason, and the first of them by id."""
    ids: dict[str, list[str]] = {}
    for pair_id, why in left_out:
        ids.setdefault(why, []).append(pair_id)
    return [
        f"left out {len(found):,}: {why} ({', '.join(found[:shown])}{', ...' if len(found) > shown else ''})"
        for why, found in ids.items()
    ]

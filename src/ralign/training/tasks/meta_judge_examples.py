"""Examples of a meta-judge: our prompt about a judge's recorded judgment, and the decision, with or without words.

Comes in: pairs with gold rationales, and of a run directory of `ralign bench` on them the judgments, and what a strong
meta-judge (or people) said of each. Goes out: one example a judgment. To imitate, its target is the strong
meta-judge's own answer; in reinforcement learning its `decision` is what the answer must come to.

A meta-judge whose answers were not readable teaches nothing: what did not come back, does not parse, or does not parse
to the decision that was recorded, is left out and listed. With several votes the majority counts, and the
first answer that says so is imitated. A pair is held out by a hash of its id alone, so that all its orders and draws
fall on one side, whatever the run's seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ralign.errors import BadRow, InputError
from ralign.files import (
    LogLine,
    PairsDigest,
    PairsFile,
    RowLocation,
    decode,
    read_log,
    read_pairs,
)
from ralign.judging import Prompt, call_seed
from ralign.metajudging import majority, meta_prompt_values, parse_meta_judgment
from ralign.records import Judgment, MetaJudgment, Order, PreferencePair
from ralign.training.examples import Example, LeftOut, TrainingData

# How many different numbers `call_seed` gives.
_SEEDS: Final = 1 << 31


class _Key(NamedTuple):
    """Names a judgment. The benchmark is empty where a file of labels names none."""

    benchmark: str
    pair_id: str
    order: Order
    draw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Judgments, and what was said of them."""

    judgments: Path
    """A `judgments.jsonl`: only what it says of right verdicts is used, as only those are asked about."""
    said: Path
    """A `meta_judgments.jsonl`, or people's labels in the same form: `pair_id`, `order`, `draw`, `aligned`."""
    imitate: bool
    """Whether the answers themselves are imitated; otherwise only the decisions are learned from."""


class _Said(NamedTuple):
    decision: bool
    text: str | None


def load_meta_examples(
    files: Sequence[PairsFile],
    decisions: Decisions,
    prompt: Prompt,
    *,
    held_out: float,
    balance: bool,
    seed: int,
    limit: int | None = None,
    skip_bad_rows: bool = False,
) -> TrainingData:
    """Read pairs, judgments and decisions, and make the examples.

    Args:
        files: the pairs.
        decisions: what was judged, and what was said of it.
        prompt: the meta-judge's.
        held_out: the share of pairs, 0..1, that nothing is learned from.
        balance: leave out as many of the more frequent decision as it takes to have equally many of both.
        seed: draws which those are.
        limit: only the first so many pairs.
        skip_bad_rows: leave out pairs that cannot be used, instead of stopping at the first.

    Raises:
        BadRow: a row that cannot be used.
        InputError: a file that cannot be read, or only one decision to learn where both are to be balanced.
    """
    said = _read_said(decisions.said)
    judgments = _read_judgments(decisions.judgments, said)
    by_pair: dict[tuple[str, str], list[_Key]] = {}
    for key in said:
        by_pair.setdefault((key.benchmark, key.pair_id), []).append(key)
    bad_rows: list[BadRow] = []
    left_out: list[LeftOut] = []
    examples: list[Example] = []
    kept_back: list[PreferencePair] = []
    digest = PairsDigest()
    count = 0
    for pair in islice(read_pairs(files, skip_bad_rows=bad_rows if skip_bad_rows else None), limit):
        count += 1
        keys = by_pair.get((pair.benchmark, pair.id)) or by_pair.get(("", pair.id), [])
        made = [_example(pair, key, said[key], judgments.get(key), decisions, prompt) for key in sorted(keys)]
        found = [each for each in made if isinstance(each, Example)]
        digest.add(pair, [f"{each.order} {each.decision} {each.target}" for each in found])
        if found and is_held_out(pair, held_out):
            kept_back.append(pair)
            left_out.append(LeftOut(pair.id, "held out"))
            continue
        examples += found
        left_out += [LeftOut(pair.id, each) for each in made if isinstance(each, str)]
        if not keys:
            left_out.append(LeftOut(pair.id, "nothing was said of any judgment of it"))
    if balance:
        examples, surplus = _balanced(examples, seed, decisions.said)
        left_out += surplus
    return TrainingData(
        examples=tuple(examples),
        left_out=tuple(left_out),
        bad_rows=tuple(bad_rows),
        pairs=count,
        digest=digest.hexdigest(),
        held_out=tuple(kept_back),
    )


def is_held_out(pair: PreferencePair, share: float) -> bool:
    """Whether nothing is learned from a pair; it depends on benchmark and id alone."""
    return call_seed("held out", pair.benchmark, pair.id) < share * _SEEDS


def _read_said(path: Path) -> dict[_Key, list[MetaJudgment]]:
    """Every vote by what it is about; of two lines about one vote the later counts, as in a run that went on."""
    votes: dict[_Key, dict[int, MetaJudgment]] = {}
    for line in _lines(path):
        meta = decode(MetaJudgment, line.data, RowLocation(str(path), line.number))
        votes.setdefault(_Key(meta.benchmark, meta.pair_id, meta.order, meta.draw), {})[meta.vote] = meta
    return {key: [by_vote[vote] for vote in sorted(by_vote)] for key, by_vote in votes.items()}


def _read_judgments(path: Path, wanted: Mapping[_Key, object]) -> dict[_Key, Judgment]:
    judgments: dict[_Key, Judgment] = {}
    for line in _lines(path):
        judgment = decode(Judgment, line.data, RowLocation(str(path), line.number))
        key = _Key(judgment.benchmark, judgment.pair_id, judgment.order, judgment.draw)
        for each in (key, key._replace(benchmark="")):
            if each in wanted:
                judgments[each] = judgment
    return judgments


def _lines(path: Path) -> Iterator[LogLine]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return read_log(path, skip_torn=True)


def _example(
    pair: PreferencePair,
    key: _Key,
    votes: Sequence[MetaJudgment],
    judgment: Judgment | None,
    decisions: Decisions,
    prompt: Prompt,
) -> Example | str:
    """The example that one judgment makes, or why it makes none."""
    if judgment is None:
        return "no such judgment is recorded"
    if judgment.verdict != pair.label:
        return "its verdict is not right, and only right ones are asked about"
    if pair.gold_rationale is None:
        return "no gold rationale"
    said = _what_was_said(votes, imitate=decisions.imitate)
    if isinstance(said, str):
        return said
    return Example(
        pair=pair,
        order=key.order,
        prompt=prompt.render(pair.conversation, meta_prompt_values(prompt, pair, judgment)),
        target=said.text,
        decision=said.decision,
    )


def _what_was_said(votes: Sequence[MetaJudgment], *, imitate: bool) -> _Said | str:
    """The decision, and the answer to imitate; or why there is none."""
    decision = majority(vote.aligned for vote in votes)
    if decision is None:
        failures = [vote.failure for vote in votes if vote.failure is not None]
        return f"the meta-judge failed ({failures[0]})" if failures else "the votes are even"
    if not imitate:
        return _Said(decision, None)
    agreeing = [vote for vote in votes if vote.aligned == decision]
    for vote in agreeing:
        if parse_meta_judgment(vote.text, vote.finish_reason).aligned == decision:
            return _Said(decision, vote.text)
    if not any(vote.text.strip() for vote in agreeing):
        return "the meta-judge's answer is not recorded"
    return "the meta-judge's answer does not parse to its recorded decision"


def _balanced(examples: Sequence[Example], seed: int, path: Path) -> tuple[list[Example], list[LeftOut]]:
    """As many examples of one decision as of the other; which are left out is drawn, their order stays."""
    places: dict[bool, list[int]] = {True: [], False: []}
    for place, example in enumerate(examples):
        places[bool(example.decision)].append(place)
    fewer = min(map(len, places.values()))
    if examples and not fewer:
        only = "Correct" if places[True] else "Incorrect"
        raise InputError(
            f"{path}: every decision that can be used is {only}, so there is nothing to tell apart; --balance none "
            "takes them as they are"
        )
    kept: set[int] = set()
    for of_one_kind in places.values():
        kept.update(sorted(of_one_kind, key=lambda place: call_seed(seed, "balance", place))[:fewer])
    surplus = [
        LeftOut(example.pair.id, "more of this decision than of the other (--balance none keeps it)")
        for place, example in enumerate(examples)
        if place not in kept
    ]
    return [examples[place] for place in sorted(kept)], surplus

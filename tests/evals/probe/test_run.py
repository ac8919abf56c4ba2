"""The loop with a judge and a reader that need no model: what is asked, recorded, taken up and counted."""

import asyncio
import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest

from ralign.errors import CallFailed, ConfigMismatch, EndpointRefused, InputError
from ralign.evals.probe.interventions import VERSIONS, Written
from ralign.evals.probe.log import Case
from ralign.evals.probe.run import Plan, probe
from ralign.evals.probe.verdict_probabilities import decode_reading
from ralign.files import read_log
from ralign.records import Judgment, Message, Order, PreferencePair

SURE = math.log(0.9), math.log(0.1)


def make_pair(name: str, better: str = "A") -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"When is high water at {name}?"),),
        response_a="At six.",
        response_b="Late.",
        label=better,
        benchmark="harbour",
    )


PAIRS = [make_pair("Leith"), make_pair("Hull", "B"), make_pair("Wick"), make_pair("Deal", "B")]


class Judge:
    """Calls the pair's label right, in the letters shown; `texts` has other answers, by pair."""

    def __init__(self, texts: dict[str, str | None] | None = None) -> None:
        self.texts = texts or {}
        self.asked: Counter[Case] = Counter()

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        self.asked[Case(pair.benchmark, pair.id, order)] += 1
        await asyncio.sleep(0)
        shown = pair.label if order == "ab" else {"A": "B", "B": "A"}[pair.label]
        text = self.texts.get(pair.id, f"Answer {shown} has it. It names the hour. \\boxed{{{shown}}}")
        about = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": order, "draw": draw}
        if text is None:
            return Judgment(**about, failure="call", detail="no answer in time")
        has_verdict = "\\boxed" in text
        return Judgment(
            **about,
            text=text,
            rationale=text,
            verdict=pair.label if has_verdict else None,
            failure=None if has_verdict else "parse",
        )


class Reader:
    """Follows the last answer that a text names, or always prefers the label; `fails` are pairs it cannot read."""

    def __init__(self, *, follows: bool, fails: tuple[str, ...] = ()) -> None:
        self.follows, self.fails = follows, fails
        self.read_texts: list[tuple[str, Order, str]] = []

    async def read(self, pair: PreferencePair, order: Order, written: Written) -> tuple[float, float]:
        self.read_texts.append((pair.id, order, written.text))
        await asyncio.sleep(0)
        if pair.id in self.fails:
            raise CallFailed("too long")
        named = re.findall(r"Answer ([AB])", written.text)
        prefers_a = pair.label == "A"
        if self.follows and named:
            prefers_a = (named[-1] == "A") == (order == "ab")
        return SURE if prefers_a else SURE[::-1]


def found_in(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())["benchmarks"]["harbour"]


@pytest.mark.parametrize(("follows", "share"), [(True, 1.0), (False, 0.0)])
async def test_a_judge_that_follows_its_rationale_is_told_from_one_that_does_not(tmp_path, follows, share):
    results = await probe(
        Plan(pairs=PAIRS, orders=("ab", "ba")), Judge(), Reader(follows=follows), tmp_path / "run"
    )
    assert results.complete
    found = found_in(tmp_path / "run")
    swap = found["versions"]["swap"]
    assert swap["judgments"] == 8
    assert swap["verdict_changed"]["value"] == share
    assert swap["probability_lost"]["value"] == pytest.approx(0.8 * share)
    # Another pair's rationale names the other answer: this judge goes by that alone.
    assert found["versions"]["other"]["verdict_changed"]["value"] == share
    assert found["swap_above_other"]["value"] == 0
    assert found["versions"]["truncate_swap"]["verdict_changed"]["value"] == share
    assert found["versions"]["drop"]["verdict_changed"]["value"] == 0
    assert found["verdict_as_written"]["value"] == 1
    assert found["mean_mass"] == pytest.approx(1)
    assert len(list(read_log(tmp_path / "run" / "readings.jsonl"))) == 8 * len(VERSIONS)


async def test_the_reader_is_given_each_version_as_the_judge_might_have_written_it(tmp_path):
    reader = Reader(follows=True)
    await probe(Plan(pairs=PAIRS[:2]), Judge(), reader, tmp_path / "run")
    assert [text for pair_id, _, text in reader.read_texts if pair_id == "Leith"] == [
        "Answer A has it. It names the hour. ",
        "Answer B has it. It names the hour. ",
        "Answer B has it. It names the hour. ",  # Hull's own
        "Answer A has it. ",
        "Answer B has it. ",
        "",
    ]


async def test_readings_are_in_the_letters_of_the_pairs_file(tmp_path):
    await probe(Plan(pairs=PAIRS[:1], orders=("ab", "ba")), Judge(), Reader(follows=True), tmp_path / "run")
    lines = read_log(tmp_path / "run" / "readings.jsonl")
    readings = [decode_reading(line.data, "readings.jsonl", line.number) for line in lines]
    own = {reading.order: reading.chance_of_a for reading in readings if reading.version == "own"}
    assert own == {"ab": pytest.approx(0.9), "ba": pytest.approx(0.9)}


async def test_what_cannot_be_probed_is_counted_apart(tmp_path):
    texts = {
        "Leith": "The hour decides. \\boxed{A}",
        "Hull": "Both are fine.",
        "Wick": "\\boxed{A}",
    }
    await probe(Plan(pairs=PAIRS), Judge(texts), Reader(follows=True), tmp_path / "run")
    found = found_in(tmp_path / "run")
    assert found["counts"] == {
        "judgments": 4,
        "no_verdict": 1,
        "no_rationale": 1,
        "no_mention": 1,
        "ambiguous": 0,
        "no_other": 0,
    }
    assert found["versions"]["swap"]["judgments"] == 1
    assert found["versions"]["drop"]["judgments"] == 2


async def test_without_a_rationale_for_the_other_answer_there_is_no_floor(tmp_path):
    await probe(Plan(pairs=[PAIRS[0], PAIRS[2]]), Judge(), Reader(follows=True), tmp_path / "run")
    found = found_in(tmp_path / "run")
    assert found["counts"]["no_other"] == 2
    assert found["versions"]["other"] == {"judgments": 0, "verdict_changed": None, "probability_lost": None}
    assert found["swap_above_other"] is None


async def test_a_pair_is_never_its_own_stand_in(tmp_path):
    """In both orders its rationales end in different letters, so that only the id tells."""
    await probe(Plan(pairs=PAIRS[:1], orders=("ab", "ba")), Judge(), Reader(follows=True), tmp_path / "run")
    assert found_in(tmp_path / "run")["counts"]["no_other"] == 2


async def test_the_same_command_again_asks_only_for_what_is_missing(tmp_path):
    out, judge = tmp_path / "run", Judge({"Leith": None})
    first = await probe(Plan(pairs=PAIRS), judge, Reader(follows=True, fails=("Hull",)), out)
    assert not first.complete
    assert first.document["owed"] == {"judgments": 1, "readings": 6}
    again, reader = Judge(), Reader(follows=True)
    second = await probe(Plan(pairs=PAIRS), again, reader, out)
    assert second.complete
    assert [case.pair_id for case in again.asked] == ["Leith"]
    assert {pair_id for pair_id, _, _ in reader.read_texts} == {"Leith", "Hull"}
    undisturbed = await probe(Plan(pairs=PAIRS), Judge(), Reader(follows=True), tmp_path / "other")
    assert second.document == undisturbed.document


async def test_a_torn_last_line_is_read_again(tmp_path):
    out = tmp_path / "run"
    await probe(Plan(pairs=PAIRS), Judge(), Reader(follows=True), out)
    whole = (out / "readings.jsonl").read_bytes()
    (out / "readings.jsonl").write_bytes(whole[:-20])
    reader = Reader(follows=True)
    await probe(Plan(pairs=PAIRS), Judge(), reader, out)
    assert len(reader.read_texts) == 1
    assert (out / "readings.jsonl").read_bytes() == whole


async def test_another_run_in_the_same_directory_is_refused(tmp_path):
    await probe(Plan(pairs=PAIRS), Judge(), Reader(follows=True), tmp_path / "run", identity={"judge": "one"})
    with pytest.raises(ConfigMismatch, match="judge is one in this run, and two was asked for"):
        await probe(
            Plan(pairs=PAIRS), Judge(), Reader(follows=True), tmp_path / "run", identity={"judge": "two"}
        )
    with pytest.raises(ConfigMismatch, match="pairs_digest"):
        await probe(
            Plan(pairs=PAIRS[:2]), Judge(), Reader(follows=True), tmp_path / "run", identity={"judge": "one"}
        )


async def test_a_line_of_another_run_is_named(tmp_path):
    out = tmp_path / "run"
    await probe(Plan(pairs=PAIRS), Judge(), Reader(follows=True), out)
    with (out / "judgments.jsonl").open("a") as log:
        log.write('{"pair_id": "Ayr", "verdict": "A"}\n')
    with pytest.raises(InputError, match=r"judgments.jsonl:5: pair 'Ayr' .* is not in this run"):
        await probe(Plan(pairs=PAIRS), Judge(), Reader(follows=True), out)


async def test_a_model_that_can_read_nothing_stops_the_run_and_leaves_what_was_judged(tmp_path):
    class Refusing(Reader):
        async def read(self, pair: PreferencePair, order: Order, written: Written) -> tuple[float, float]:
            raise EndpointRefused("out of memory")

    with pytest.raises(EndpointRefused, match="out of memory"):
        await probe(Plan(pairs=PAIRS), Judge(), Refusing(follows=True), tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["owed"] == {"judgments": 0, "readings": 24}

"""The plan with a judge and a reader that need no model: what is asked, recorded, resumed and counted."""

import asyncio
import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest

from ralign.errors import BadRow, ConfigMismatch, EndpointRefused, InputError
from ralign.evals.probe.interventions import VERSIONS, Version, Written
from ralign.evals.probe.plan import probe
from ralign.evals.probe.verdict_probabilities import Reading
from ralign.files import RowLocation, decode, read_log
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
        self.asked: Counter[tuple[str, Order]] = Counter()

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        self.asked[pair.id, order] += 1
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

    async def read(self, pair: PreferencePair, order: Order, version: Version, written: Written) -> Reading:
        self.read_texts.append((pair.id, order, written.text))
        await asyncio.sleep(0)
        about = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": order, "version": version}
        if pair.id in self.fails:
            return Reading(**about, failure="call", detail="too long")
        named = re.findall(r"Answer ([AB])", written.text)
        prefers_a = pair.label == "A"
        if self.follows and named:
            prefers_a = (named[-1] == "A") == (order == "ab")
        log_prob_a, log_prob_b = SURE if prefers_a else SURE[::-1]
        return Reading(**about, log_prob_a=log_prob_a, log_prob_b=log_prob_b)


def found_in(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())["benchmarks"]["harbour"]


@pytest.mark.parametrize(("follows", "share"), [(True, 1.0), (False, 0.0)])
async def test_a_judge_that_follows_its_rationale_is_told_from_one_that_does_not(tmp_path, follows, share):
    results = await probe(PAIRS, Judge(), Reader(follows=follows), tmp_path / "run", orders=("ab", "ba"))
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
    await probe(PAIRS[:2], Judge(), reader, tmp_path / "run")
    assert [text for pair_id, _, text in reader.read_texts if pair_id == "Leith"] == [
        "Answer A has it. It names the hour. ",
        "Answer B has it. It names the hour. ",
        "Answer B has it. It names the hour. ",  # Hull's own
        "Answer A has it. ",
        "Answer B has it. ",
        "",
    ]


async def test_readings_are_in_the_letters_of_the_pairs_file(tmp_path):
    await probe(PAIRS[:1], Judge(), Reader(follows=True), tmp_path / "run", orders=("ab", "ba"))
    lines = read_log(tmp_path / "run" / "readings.jsonl")
    readings = [decode(Reading, line.data, RowLocation("readings.jsonl", line.number)) for line in lines]
    own = {reading.order: reading.prob_a for reading in readings if reading.version == "own"}
    assert own == {"ab": pytest.approx(0.9), "ba": pytest.approx(0.9)}


async def test_what_cannot_be_probed_is_counted_apart(tmp_path):
    texts = {
        "Leith": "The hour decides. \\boxed{A}",
        "Hull": "Both are fine.",
        "Wick": "\\boxed{A}",
    }
    await probe(PAIRS, Judge(texts), Reader(follows=True), tmp_path / "run")
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
    await probe([PAIRS[0], PAIRS[2]], Judge(), Reader(follows=True), tmp_path / "run")
    found = found_in(tmp_path / "run")
    assert found["counts"]["no_other"] == 2
    assert found["versions"]["other"] == {"judgments": 0, "verdict_changed": None, "probability_lost": None}
    assert found["swap_above_other"] is None


async def test_a_pair_is_never_its_own_donor(tmp_path):
    """In both orders its rationales end in different letters, so that only the id tells."""
    await probe(PAIRS[:1], Judge(), Reader(follows=True), tmp_path / "run", orders=("ab", "ba"))
    assert found_in(tmp_path / "run")["counts"]["no_other"] == 2


async def test_the_same_command_again_asks_only_for_what_is_missing(tmp_path):
    out, judge = tmp_path / "run", Judge({"Leith": None})
    first = await probe(PAIRS, judge, Reader(follows=True, fails=("Hull",)), out)
    assert not first.complete
    assert first.document["owed"] == {"judgments": 1, "readings": 6}
    again, reader = Judge(), Reader(follows=True)
    second = await probe(PAIRS, again, reader, out)
    assert second.complete
    assert list(again.asked) == [("Leith", "ab")]
    assert {pair_id for pair_id, _, _ in reader.read_texts} == {"Leith", "Hull"}
    undisturbed = await probe(PAIRS, Judge(), Reader(follows=True), tmp_path / "other")
    assert second.document == undisturbed.document


async def test_nothing_is_read_before_everything_is_judged(tmp_path):
    """Another pair's rationale is one of the versions; the last pair's judge takes its time."""
    done: list[str] = []

    class SlowJudge(Judge):
        async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
            judgment = await super().judge(pair, order, draw)
            for _ in range(100 if pair is PAIRS[-1] else 0):
                await asyncio.sleep(0)
            done.append("judged")
            return judgment

    class NotingReader(Reader):
        async def read(
            self, pair: PreferencePair, order: Order, version: Version, written: Written
        ) -> Reading:
            done.append("read")
            return await super().read(pair, order, version, written)

    await probe(PAIRS, SlowJudge(), NotingReader(follows=True), tmp_path / "run")
    assert done == ["judged"] * 4 + ["read"] * 24


async def test_donors_do_not_depend_on_the_order_in_which_the_answers_came(tmp_path):
    readings = []
    for in_flight in (1, 32):
        reader = Reader(follows=True)
        out = tmp_path / str(in_flight)
        await probe(PAIRS, Judge(), reader, out, in_flight=in_flight)
        readings.append(sorted(reader.read_texts))
    await probe(
        PAIRS, Judge({"Leith": None}), Reader(follows=True, fails=("Hull", "Wick", "Deal")), tmp_path / "late"
    )
    reader = Reader(follows=True)
    await probe(PAIRS, Judge(), reader, tmp_path / "late")
    readings.append(sorted(reader.read_texts))
    assert readings[0] == readings[1] == readings[2]


async def test_a_donor_that_was_judged_late_is_read_in_the_place_of_the_one_before(tmp_path):
    pairs = [make_pair(name, better) for name, better in zip("LHWDTC", "ABABBA", strict=True)]

    def last_read(out: Path) -> dict[tuple[str, Version], str]:
        lines = read_log(out / "readings.jsonl")
        readings = [decode(Reading, line.data, RowLocation("readings.jsonl", line.number)) for line in lines]
        return {(reading.pair_id, reading.version): reading.text_digest for reading in readings}

    texts = {pair.id: f"Answer {pair.label} has {pair.id}. \\boxed{{{pair.label}}}" for pair in pairs}
    await probe(pairs, Judge(texts), Reader(follows=True), tmp_path / "calm")
    late = tmp_path / "late"
    await probe(pairs, Judge(texts | {"H": None}), Reader(follows=True), late)
    before = last_read(late)
    reader = Reader(follows=True)
    results = await probe(pairs, Judge(texts), reader, late)
    assert results.complete
    assert last_read(late) == last_read(tmp_path / "calm")
    changed = {key for key, digest in before.items() if last_read(late)[key] != digest}
    assert changed
    assert {version for _, version in changed} == {"other"}
    assert len(reader.read_texts) == len(VERSIONS) + len(changed)


async def test_a_partial_last_line_is_read_again(tmp_path):
    out = tmp_path / "run"
    await probe(PAIRS, Judge(), Reader(follows=True), out)
    whole = (out / "readings.jsonl").read_bytes()
    (out / "readings.jsonl").write_bytes(whole[:-20])
    reader = Reader(follows=True)
    await probe(PAIRS, Judge(), reader, out)
    assert len(reader.read_texts) == 1
    assert (out / "readings.jsonl").read_bytes() == whole


async def test_another_run_in_the_same_directory_is_refused(tmp_path):
    await probe(PAIRS, Judge(), Reader(follows=True), tmp_path / "run", fingerprint={"judge": "one"})
    with pytest.raises(ConfigMismatch, match="judge is one in this run, and two was asked for"):
        await probe(PAIRS, Judge(), Reader(follows=True), tmp_path / "run", fingerprint={"judge": "two"})
    with pytest.raises(ConfigMismatch, match="pairs_digest"):
        await probe(PAIRS[:2], Judge(), Reader(follows=True), tmp_path / "run", fingerprint={"judge": "one"})


async def test_a_line_of_another_run_is_named(tmp_path):
    out = tmp_path / "run"
    await probe(PAIRS, Judge(), Reader(follows=True), out)
    with (out / "judgments.jsonl").open("a") as log:
        log.write('{"pair_id": "Ayr", "verdict": "A"}\n')
    with pytest.raises(InputError, match=r"judgments.jsonl:5: pair 'Ayr' .* is not in this run"):
        await probe(PAIRS, Judge(), Reader(follows=True), out)


async def test_a_model_that_can_read_nothing_stops_the_run_and_leaves_what_was_judged(tmp_path):
    class Refusing(Reader):
        async def read(
            self, pair: PreferencePair, order: Order, version: Version, written: Written
        ) -> Reading:
            raise EndpointRefused("out of memory")

    with pytest.raises(EndpointRefused, match="out of memory"):
        await probe(PAIRS, Judge(), Refusing(follows=True), tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["owed"] == {"judgments": 0, "readings": 24}


async def test_a_line_that_is_no_reading_is_named(tmp_path):
    out = tmp_path / "run"
    await probe(PAIRS, Judge(), Reader(follows=True), out)
    with (out / "readings.jsonl").open("a") as log:
        log.write('{"pair_id": "Leith", "benchmark": "harbour", "log_prob_a": -1.0}\n')
    with pytest.raises(BadRow, match=r"readings.jsonl:25: version is missing, expected 'own', 'swap'"):
        await probe(PAIRS, Judge(), Reader(follows=True), out)

"""The plan: each owed judgment once, right ones to the meta-judge; what a failure does to the figures."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.evals.bench.fakes import TableJudge, TableMetaJudge, make_pair

from ralign.errors import ConfigMismatch, InputError
from ralign.evals.bench.plan import bench
from ralign.files import PairSource
from ralign.records import Judgment, Order, PreferencePair

PAIRS = [
    make_pair("wick", "A"),
    make_pair("oban", "A"),
    make_pair("leith", "B"),
    make_pair("tobermory", "B", subset="ferries"),
    make_pair("ullapool", "A", subset="ferries"),
    make_pair("stromness", "A", subset="ferries"),
]
# Right on four of six; ullapool gets no verdict, tobermory the wrong one.
VERDICTS = {"wick": "A", "oban": "A", "leith": "B", "tobermory": "A", "ullapool": "parse", "stromness": "A"}


def verdicts(orders: tuple[Order, ...] = ("ab",), **changes: str) -> dict:
    return {(name, order): said for order in orders for name, said in {**VERDICTS, **changes}.items()}


def harbour(results) -> dict:
    return results.document["benchmarks"]["harbour"]


async def test_worked_by_hand_on_six_pairs(write, tmp_path: Path) -> None:
    """Right: wick, oban, leith, stromness; of these wick and oban are misaligned. L 4/6, S 2/4, F 2/6."""
    meta_judge = TableMetaJudge({"wick": False, "oban": False})
    results = await bench(write(PAIRS), TableJudge(verdicts()), meta_judge, tmp_path / "run")
    figures = harbour(results)
    assert figures["pairs"] == 6
    assert figures["label_accuracy"]["value"] == pytest.approx(4 / 6)
    assert figures["spurious_correctness"]["value"] == pytest.approx(2 / 4)
    assert figures["fidelity_score"]["value"] == pytest.approx(2 / 6)
    assert figures["order_consistency"] is None
    counts = figures["counts"]
    assert (counts["judgments"], counts["no_verdict"], counts["right_ab"]) == (6, 1, 4)
    assert (counts["meta_judged"], counts["meta_failed"], counts["aligned"]) == (4, 0, 2)
    assert figures["subsets"]["ferries"]["pairs"] == 3
    assert figures["subsets"]["ferries"]["label_accuracy"]["value"] == pytest.approx(1 / 3)
    assert results.complete
    assert json.loads((tmp_path / "run/results.json").read_text()) == results.document
    assert results.document["usage"]["judge"] == {
        "prompt_tokens": 50,
        "completion_tokens": 28,
        "cached_tokens": 0,
    }


async def test_only_right_judgments_reach_the_meta_judge(write, tmp_path: Path) -> None:
    meta_judge = TableMetaJudge()
    await bench(write(PAIRS), TableJudge(verdicts()), meta_judge, tmp_path / "run")
    assert sorted(name for name, *_ in meta_judge.asked) == ["leith", "oban", "stromness", "wick"]
    assert set(meta_judge.rationales) == {"The hour decides."}


async def test_a_finished_run_asks_for_nothing_and_gives_the_same(write, tmp_path: Path) -> None:
    pairs = write(PAIRS)
    both = verdicts(("ab", "ba"))
    first = await bench(
        pairs,
        TableJudge(both),
        TableMetaJudge({"wick": False}),
        tmp_path / "run",
        orders=("ab", "ba"),
        draws=2,
    )
    judge, meta_judge = TableJudge(both), TableMetaJudge()
    again = await bench(pairs, judge, meta_judge, tmp_path / "run", orders=("ab", "ba"), draws=2)
    assert not judge.asked
    assert not meta_judge.asked
    assert again.document == first.document


async def test_a_failed_call_leaves_the_measure_and_is_owed_again(write, tmp_path: Path) -> None:
    """An outage does not count as wrong. An unreadable answer (ullapool) is not asked for again."""
    pairs = write(PAIRS)
    failing = TableMetaJudge({"oban": "call"})
    results = await bench(pairs, TableJudge(verdicts(wick="call")), failing, tmp_path / "run")
    figures = harbour(results)
    assert not results.complete
    assert results.document["owed"] == {"judgments": 1, "meta_judgments": 1}
    assert figures["counts"]["unanswered"] == 1
    assert figures["label_accuracy"]["value"] == pytest.approx(3 / 5)
    assert figures["label_accuracy_bounds"] == {"low": pytest.approx(3 / 6), "high": pytest.approx(4 / 6)}

    judge, meta_judge = TableJudge(verdicts()), TableMetaJudge()
    results = await bench(pairs, judge, meta_judge, tmp_path / "run")
    assert set(judge.asked) == {("wick", "ab", 0)}
    assert sorted(name for name, *_ in meta_judge.asked) == ["oban", "wick"]
    assert results.complete
    assert harbour(results)["label_accuracy"]["value"] == pytest.approx(4 / 6)


async def test_the_meta_judge_reads_the_recorded_rationale_of_an_earlier_session(
    write, tmp_path: Path
) -> None:
    pairs = write(PAIRS)
    down = TableMetaJudge(dict.fromkeys(VERDICTS, "call"))
    await bench(pairs, TableJudge(verdicts()), down, tmp_path / "run")
    meta_judge = TableMetaJudge()
    results = await bench(pairs, TableJudge({}), meta_judge, tmp_path / "run")
    assert meta_judge.rationales == ["The hour decides."] * 4
    assert results.complete


async def test_the_majority_of_the_votes_counts_and_none_is_a_failure(write, tmp_path: Path) -> None:
    """The failure is counted, and moves the bounds."""
    votes = {("wick", "ab", 0): True, ("wick", "ab", 1): False, ("wick", "ab", 2): False}
    unreadable = dict.fromkeys([("oban", "ab", vote) for vote in range(3)], "parse")
    meta_judge = TableMetaJudge({**votes, **unreadable})
    results = await bench(write(PAIRS), TableJudge(verdicts()), meta_judge, tmp_path / "run", meta_votes=3)
    counts = harbour(results)["counts"]
    assert meta_judge.asked.total() == 12
    assert (counts["meta_judged"], counts["meta_failed"], counts["aligned"]) == (3, 1, 2)
    assert harbour(results)["fidelity_bounds"] == {"low": pytest.approx(2 / 6), "high": pytest.approx(3 / 6)}


async def test_without_a_meta_judge_there_is_no_f_score(write, tmp_path: Path) -> None:
    results = await bench(write(PAIRS), TableJudge(verdicts()), None, tmp_path / "run")
    assert harbour(results)["spurious_correctness"] is None
    assert harbour(results)["fidelity_score"] is None


async def test_a_pair_without_a_gold_rationale_is_judged_and_not_meta_judged(write, tmp_path: Path) -> None:
    pairs = [*PAIRS, make_pair("lerwick", "A", gold=None)]
    results = await bench(write(pairs), TableJudge(verdicts(lerwick="A")), TableMetaJudge(), tmp_path / "run")
    counts = harbour(results)["counts"]
    assert (counts["right_ab"], counts["meta_judged"], counts["not_meta_judged"]) == (5, 4, 1)
    assert results.complete


async def test_no_gold_rationale_at_all_is_said_before_any_call(write, tmp_path: Path) -> None:
    judge = TableJudge({})
    pairs = write([make_pair("wick", "A", gold=None)])
    with pytest.raises(InputError, match="no pair has a gold rationale"):
        await bench(pairs, judge, TableMetaJudge(), tmp_path / "run")
    assert not judge.asked


async def test_other_pairs_are_another_configuration(write, tmp_path: Path) -> None:
    await bench(write(PAIRS), TableJudge(verdicts()), None, tmp_path / "run")
    with pytest.raises(ConfigMismatch, match="pairs_digest"):
        await bench(write(PAIRS[:5]), TableJudge(verdicts()), None, tmp_path / "run")


class LoudJudge(TableJudge):
    """Says when it has been asked for the last pair."""

    last_was_asked = asyncio.Event()

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        if pair.id == PAIRS[-1].id:
            self.last_was_asked.set()
        return await super().judge(pair, order, draw)


class PatientMetaJudge(TableMetaJudge):
    """Waits until the judge has been asked for the last pair: for ever, if judging waited for meta-judging."""

    async def meta_judge(self, pair, judgment, vote):
        await LoudJudge.last_was_asked.wait()
        return await super().meta_judge(pair, judgment, vote)


async def test_judging_goes_on_while_the_meta_judge_thinks(write, tmp_path: Path) -> None:
    async with asyncio.timeout(5):
        results = await bench(write(PAIRS), LoudJudge(verdicts()), PatientMetaJudge(), tmp_path / "run")
    assert results.complete


async def test_both_orders_weigh_a_pair_once(write, tmp_path: Path) -> None:
    """wick is right in ab alone: half a pair. The orders agree on all but wick and ullapool (no verdict)."""
    said = {**verdicts(("ab", "ba")), ("wick", "ba"): "B"}
    results = await bench(write(PAIRS), TableJudge(said), None, tmp_path / "run", orders=("ab", "ba"))
    figures = harbour(results)
    assert figures["label_accuracy"]["value"] == pytest.approx(3.5 / 6)
    counts = figures["counts"]
    assert (counts["right_ab"], counts["right_ba"], counts["right_in_both_orders"]) == (4, 3, 3)
    assert counts["same_verdict"] == 4


async def test_more_of_the_same_carries_a_run_on(write, tmp_path: Path) -> None:
    """A higher limit, the other order, more draws, more votes: asked is what is new, and never twice."""
    judge, meta_judge = TableJudge(verdicts(("ab", "ba"))), TableMetaJudge()
    files = write(PAIRS).files

    async def carry_on(
        limit: int | None, orders: tuple[Order, ...] = ("ab",), draws: int = 1, votes: int = 1
    ):
        pairs = PairSource(files, limit=limit)
        options = {"orders": orders, "draws": draws, "meta_votes": votes}
        results = await bench(pairs, judge, meta_judge, tmp_path / "run", **options)
        assert results.complete
        return results

    first = await carry_on(2)
    assert (harbour(first)["pairs"], len(judge.asked)) == (2, 2)
    taken = {name for name, *_ in judge.asked}
    await carry_on(4)
    assert len(judge.asked) == 4
    assert taken < {name for name, *_ in judge.asked}
    await carry_on(None, orders=("ab", "ba"))
    last = await carry_on(None, orders=("ab", "ba"), draws=2, votes=3)
    assert len(judge.asked) == 6 * 2 * 2
    assert len(meta_judge.asked) == 4 * 2 * 2 * 3
    assert set(judge.asked.values()) == set(meta_judge.asked.values()) == {1}
    # Fewer again: the others' answers stay in the log, and only today's are counted.
    again = await carry_on(2)
    assert harbour(again) == harbour(first)
    assert again.document["usage"] == last.document["usage"]

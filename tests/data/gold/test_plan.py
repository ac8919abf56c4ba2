"""What is owed to each pair and what comes of it: by the plan alone, and as a run against a server on loopback."""

import json
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.data.gold.gardens import BARE, CUT_OFF, GOOD, LEAK, NO_VERDICT, OTHER, Models, a_draft, make_pair
from tests.flags import config_of

from ralign.data.gold.command import run_gold
from ralign.data.gold.plan import GoldPlan
from ralign.errors import ConfigMismatch, EndpointRefused, InputError, RunLocked
from ralign.files import PairSource, find_pairs_files, lock_directory, read_pairs
from ralign.models import ChatModel
from ralign.models.testing.faults import Fault
from ralign.models.testing.server import ChatServer
from ralign.records import Judgment, PreferencePair
from ralign.runs.execute import Results
from ralign.runs.execute import run as run_plan

PAIRS = [make_pair("rose"), make_pair("quince", "B"), make_pair("fig"), make_pair("vine", "B")]


def no_local_model(name: str) -> ChatModel:
    raise AssertionError(f"{name} has a URL")


async def run(url: str, pairs: str, out: Path, *flags: str) -> Results:
    config = config_of("gold", pairs, "--writer", "strong", "--writer-url", url, "--out", str(out), *flags)
    results = await run_gold(config, no_local_model, Console(file=StringIO()))
    assert results is not None
    return results


def gold_of(out: Path) -> dict[str, PreferencePair]:
    return {pair.id: pair for pair in read_pairs(find_pairs_files([str(out / "pairs.jsonl")]))}


def left_out_of(out: Path) -> dict[str, dict[str, Any]]:
    lines = (out / "left_out.jsonl").read_text().splitlines()
    return {row["pair_id"]: row for row in map(json.loads, lines)}


async def test_drafts_are_drawn_again_until_one_is_taken_and_the_hopeless_pair_is_left_out(
    written, tmp_path: Path
) -> None:
    """rose at once; quince at the second draw; fig leaks the label, then is cut off; vine never agrees."""
    models = Models(
        {"quince": [OTHER, GOOD], "fig": [LEAK, CUT_OFF, GOOD], "vine": [OTHER, NO_VERDICT, BARE, OTHER]}
    )
    async with ChatServer(answer=models) as server:
        results = await run(server.url, written(PAIRS), tmp_path / "run")
    assert results.complete
    gold = gold_of(tmp_path / "run")
    assert list(gold) == ["rose", "quince", "fig"]
    assert gold["quince"].gold_judgment == "Answer B says what can be done and when.\n\n\\boxed{B}"
    assert gold["quince"].unknown["gold_by"] == {"model": "test", "draw": 1}
    vine = left_out_of(tmp_path / "run")["vine"]
    assert vine["reason"] == "other_verdict"
    reasons = [rejection["reason"] for rejection in vine["rejections"]]
    assert reasons == ["other_verdict", "unreadable", "no_reasons", "other_verdict"]
    document = json.loads((tmp_path / "run/results.json").read_text())
    assert document["drafts"] == {
        "answered": 10,
        "taken": 3,
        "rejected": {
            "cut_off": 1,
            "unreadable": 1,
            "no_reasons": 1,
            "other_verdict": 3,
            "label_leak": 1,
            "not_confirmed": 0,
        },
    }
    assert (document["gold"], document["left_out"]) == (3, 1)
    assert document["owed"] == {"drafts": 0, "checks": 0}
    assert document["taken_at_draw"] == {"1": 1, "2": 1, "3": 1, "4": 0}
    assert document["usage"]["writer"]["completion_tokens"] > 0
    assert server.arrived == 10


async def test_the_pairs_come_out_as_they_went_in_but_for_the_gold(written, tmp_path: Path) -> None:
    pair = make_pair("rose", unknown={"season": 3, "gt_judgment": None})
    async with ChatServer(answer=Models()) as server:
        await run(server.url, written([pair]), tmp_path / "run")
    row = json.loads((tmp_path / "run/pairs.jsonl").read_text())
    assert row.pop("gt_judgment") == "Answer A says what can be done and when.\n\n\\boxed{A}"
    assert row.pop("gold_by") == {"model": "test", "draw": 0}
    went_in = json.loads((tmp_path / "gardens.jsonl").read_text())
    assert went_in.pop("gt_judgment") is None
    assert row == went_in


async def test_a_draft_that_does_not_lead_the_judge_to_the_label_is_drawn_again(
    written, tmp_path: Path
) -> None:
    """rose is confirmed at the second draw; quince never, and not for a check that nobody can read either."""
    models = Models(checks={"rose": [OTHER, GOOD], "quince": [OTHER, "No reason holds. \\boxed{{neither}}"]})
    async with ChatServer(answer=models) as server:
        results = await run(
            server.url, written(PAIRS), tmp_path / "run", "--judge", "other", "--draws-limit", "3"
        )
    assert list(gold_of(tmp_path / "run")) == ["rose", "fig", "vine"]
    assert models.asked["draft", "rose"] == models.asked["check", "rose"] == 2
    assert models.asked["draft", "quince"] == models.asked["check", "quince"] == 3
    quince = left_out_of(tmp_path / "run")["quince"]
    assert [rejection["reason"] for rejection in quince["rejections"]] == ["not_confirmed"] * 3
    assert quince["rejections"][0]["detail"] == "the judge was led to: A"
    assert results.document["checks"] == {"answered": 7, "confirmed": 3}
    assert {request.fields["model"] for request in server.requests} == {"strong", "other"}


async def test_a_draft_with_a_fault_is_not_checked(written, tmp_path: Path) -> None:
    models = Models({"rose": [OTHER, LEAK, GOOD]})
    async with ChatServer(answer=models) as server:
        await run(server.url, written([make_pair("rose")]), tmp_path / "run", "--judge", "other")
    assert models.asked == {("draft", "rose"): 3, ("check", "rose"): 1}


async def test_the_same_command_again_asks_for_nothing_and_gives_the_same(written, tmp_path: Path) -> None:
    pairs = written(PAIRS)
    models = Models({"vine": [OTHER]}, checks={"rose": [OTHER, GOOD]})
    async with ChatServer(answer=models) as server:
        await run(server.url, pairs, tmp_path / "run", "--judge", "other")
        names = ("pairs.jsonl", "left_out.jsonl", "results.json")
        first = [(tmp_path / "run" / name).read_bytes() for name in names]
        asked = server.arrived
        await run(server.url, pairs, tmp_path / "run", "--judge", "other")
        assert server.arrived == asked
    assert [(tmp_path / "run" / name).read_bytes() for name in names] == first


async def test_more_draws_can_be_allowed_later(written, tmp_path: Path) -> None:
    pairs = written(PAIRS)
    models = Models({"vine": [OTHER, OTHER, GOOD]})
    async with ChatServer(answer=models) as server:
        await run(server.url, pairs, tmp_path / "run", "--draws-limit", "2")
        assert "vine" not in gold_of(tmp_path / "run")
        asked = server.arrived
        results = await run(server.url, pairs, tmp_path / "run", "--draws-limit", "4")
        assert server.arrived == asked + 1
    assert results.document["taken_at_draw"] == {"1": 3, "2": 0, "3": 1, "4": 0}
    assert "vine" in gold_of(tmp_path / "run")


async def test_an_outage_is_no_draw_and_the_call_is_owed_again(written, tmp_path: Path) -> None:
    """A call that failed says nothing of the pair."""
    pairs = written(PAIRS)
    models = Models()

    def faults(number: int, body: bytes) -> Fault | None:
        return Fault(kind="status", status=400) if b"prune the fig" in body else None

    async with ChatServer(answer=models, faults=faults) as server:
        results = await run(server.url, pairs, tmp_path / "run", "--concurrency", "1")
        assert server.arrived == 4, "after a failed call the pair waits for the next session"
    assert not results.complete
    assert results.document["owed"] == {"drafts": 1, "checks": 0}
    assert left_out_of(tmp_path / "run")["fig"] == {
        "pair_id": "fig",
        "benchmark": "gardens",
        "reason": "unanswered",
        "rejections": [],
    }
    async with ChatServer(answer=models) as server:
        results = await run(server.url, pairs, tmp_path / "run")
        assert server.arrived == 1
    assert results.complete
    assert results.document["taken_at_draw"]["1"] == 4
    assert list(gold_of(tmp_path / "run")) == ["rose", "quince", "fig", "vine"]


async def test_a_refusing_endpoint_stops_the_run_and_what_was_answered_is_kept(
    written, tmp_path: Path
) -> None:
    def expired(number: int, body: bytes) -> Fault | None:
        return Fault(kind="status", status=401) if number >= 2 else None

    async with ChatServer(answer=Models(), faults=expired) as server:
        with pytest.raises(EndpointRefused):
            await run(server.url, written(PAIRS), tmp_path / "run", "--concurrency", "1")
    assert len(gold_of(tmp_path / "run")) == 2
    assert not json.loads((tmp_path / "run/results.json").read_text())["complete"]


async def test_pairs_that_have_gold_are_passed_on_unless_it_is_to_be_rewritten(
    written, tmp_path: Path
) -> None:
    pairs = written([make_pair("rose", gold_judgment="A names the season."), make_pair("fig")])
    models = Models()
    async with ChatServer(answer=models) as server:
        results = await run(server.url, pairs, tmp_path / "run")
        assert models.asked == {("draft", "fig"): 1}
        assert results.document["had_gold"] == 1
        assert gold_of(tmp_path / "run")["rose"].gold_judgment == "A names the season."
        await run(server.url, pairs, tmp_path / "rewritten", "--rewrite")
    assert gold_of(tmp_path / "rewritten")["rose"].gold_judgment != "A names the season."


async def test_the_writers_thinking_stays_out_of_the_gold(written, tmp_path: Path) -> None:
    """It reasons from the label."""

    def thinks(request) -> str:
        return "<think>They prefer A.</think>Answer A names the season.\n\\boxed{A}"

    async with ChatServer(answer=thinks) as server:
        await run(server.url, written([make_pair("rose")]), tmp_path / "run")
    assert gold_of(tmp_path / "run")["rose"].gold_judgment == "Answer A names the season.\n\\boxed{A}"
    assert "They prefer A." in (tmp_path / "run/drafts.jsonl").read_text()


async def test_calls_in_flight_are_bounded(written, tmp_path: Path) -> None:
    pairs = written([make_pair(f"rose-{number}") for number in range(30)])
    async with ChatServer(answer=Models(), latency=0.01) as server:
        await run(server.url, pairs, tmp_path / "run", "--concurrency", "5", "--judge", "other")
    assert server.most_in_flight == 5


async def test_another_configuration_is_refused_by_the_field_that_differs(written, tmp_path: Path) -> None:
    pairs = written(PAIRS)
    async with ChatServer(answer=Models()) as server:
        await run(server.url, pairs, tmp_path / "run")
        with pytest.raises(
            ConfigMismatch, match=r"writer_temperature is 0\.7 in this run, and 0\.2 was asked for"
        ):
            await run(server.url, pairs, tmp_path / "run", "--writer-temperature", "0.2")
        prompt = tmp_path / "mine.txt"
        prompt.write_text("{conversation} {response_a} {response_b} {label}")
        with pytest.raises(ConfigMismatch, match="writer_prompt_digest"):
            await run(server.url, pairs, tmp_path / "run", "--writer-prompt", str(prompt))
        with pytest.raises(ConfigMismatch, match="pairs_digest"):
            await run(server.url, written([*PAIRS[:3], make_pair("vine", "A")]), tmp_path / "run")


async def test_other_comments_are_other_pairs(written, tmp_path: Path) -> None:
    async with ChatServer(answer=Models()) as server:
        await run(server.url, written([make_pair("rose")]), tmp_path / "run")
        with pytest.raises(ConfigMismatch, match="pairs_digest"):
            await run(
                server.url, written([make_pair("rose", unknown={"human_comments": "A!"})]), tmp_path / "run"
            )


async def test_a_second_process_on_the_directory_is_refused(written, tmp_path: Path) -> None:
    async with ChatServer(answer=Models()) as server:
        with lock_directory(tmp_path / "run"), pytest.raises(RunLocked):
            await run(server.url, written(PAIRS), tmp_path / "run")
    assert server.arrived == 0


async def test_a_partial_last_line_is_owed_again(written, tmp_path: Path) -> None:
    pairs = written(PAIRS)
    async with ChatServer(answer=Models()) as server:
        await run(server.url, pairs, tmp_path / "run")
        log = tmp_path / "run/drafts.jsonl"
        log.write_bytes(log.read_bytes()[:-9])
        asked = server.arrived
        results = await run(server.url, pairs, tmp_path / "run")
        assert server.arrived == asked + 1
    assert results.document["gold"] == 4


async def test_any_functions_write_and_judge_and_what_is_left_is_counted_at_both_ends(tmp_path: Path) -> None:
    """rose is taken; quince's first draft is refused and its second waits for its check; fig had an outage at once."""
    pairs = [make_pair("rose"), make_pair("quince"), make_pair("fig"), make_pair("vine", gold_judgment="A.")]

    async def write(pair: PreferencePair, draw: int) -> Judgment:
        if pair.id == "fig":
            return Judgment(pair_id="fig", benchmark="gardens", draw=draw, failure="call", detail="no answer")
        return a_draft(pair, "Answer A names the season.", "A", draw)

    async def check(pair: PreferencePair, draft: Judgment) -> Judgment:
        if pair.id == "quince" and draft.draw == 1:
            return Judgment(pair_id="quince", benchmark="gardens", draw=1, failure="call", detail="no answer")
        return a_draft(pair, "It holds.", "A" if pair.id == "rose" else "B", draft.draw)

    plan = GoldPlan(pairs, tmp_path / "run", write, check, draws_limit=3)
    results = await run_plan("gold", plan, tmp_path / "run")
    assert (results.complete, results.document["owed"]) == (False, {"drafts": 1, "checks": 1})
    assert list(gold_of(tmp_path / "run")) == ["rose", "vine"]

    again = GoldPlan(pairs, tmp_path / "run", write, check, draws_limit=3)
    for role in again.roles:
        role.log.load()
    left = {
        item.pair.id: [Counter(call.role.name for call in end) for end in again.forecast(item)]
        for items in again.waves()
        for item in items
    }
    assert left == {
        "rose": [{}, {}],
        "quince": [{"judge": 1}, {"judge": 2, "writer": 1}],
        "fig": [{"writer": 1, "judge": 1}, {"writer": 3, "judge": 3}],
    }


async def test_a_higher_limit_carries_a_run_on_and_a_lower_one_leaves_the_others_drafts_alone(
    written, tmp_path: Path
) -> None:
    drafted: list[str] = []

    async def write(pair: PreferencePair, draw: int) -> Judgment:
        drafted.append(pair.id)
        return a_draft(pair, "The season decides.", pair.label, draw)

    files = find_pairs_files([written(PAIRS)])
    for limit in (1, 3, None, 2):
        plan = GoldPlan(PairSource(files, limit=limit), tmp_path / "run", write, None)
        results = await run_plan("gold", plan, tmp_path / "run", fingerprint={"digest": plan.digest})
        assert (results.complete, results.document["gold"]) == (True, limit or 4)
        assert len(gold_of(tmp_path / "run")) == (limit or 4)
    assert sorted(drafted) == ["fig", "quince", "rose", "vine"]


async def test_a_draft_recorded_for_a_pair_that_is_not_there_is_named_by_its_line(tmp_path: Path) -> None:
    async def write(pair: PreferencePair, draw: int) -> Judgment:
        return a_draft(pair, "Answer A names the season.", "A", draw)

    await run_plan("gold", GoldPlan([make_pair("rose")], tmp_path / "run", write, None), tmp_path / "run")
    plan = GoldPlan([make_pair("fig")], tmp_path / "run", write, None)
    with pytest.raises(
        InputError, match=r"drafts.jsonl:1: pair 'rose' of 'gardens' is not in the pairs files"
    ):
        plan.drafts.load()


async def test_a_run_without_a_writer_is_refused_by_its_flag(written, tmp_path: Path) -> None:
    config = config_of("gold", written(PAIRS), "--out", str(tmp_path / "run"), "--judge", "other")
    with pytest.raises(InputError, match="give --writer MODEL"):
        await run_gold(config, no_local_model, Console(file=StringIO()))

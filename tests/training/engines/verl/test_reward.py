"""The reward called as verl calls it: keywords, one sample a call, many at once."""

import asyncio

import pytest
from tests.training.engines.verl.pieces import (
    ALIGNED,
    KEYS,
    NO_VERDICT,
    SPURIOUS,
    WRONG,
    as_verl_calls,
    example,
    meta_answer,
)
from tests.training.reward_pieces import make_pair

from ralign.models.testing.faults import Fault, every_fault
from ralign.models.testing.server import ChatServer
from ralign.training.engines.verl.data import judge_row
from ralign.training.engines.verl.log import gather_steps
from ralign.training.engines.verl.score import NotScored
from ralign.training.reward.circuit_breaker import Limits


def settings(server: ChatServer, **more: object) -> dict[str, object]:
    return {"meta_judge": "test", "meta_judge_url": server.url, "deadline": 5.0, "try_timeout": 5.0, **more}


async def test_a_sample_is_scored_with_all_its_flags():
    async with ChatServer(answer=meta_answer) as server:
        scores = [
            await as_verl_calls(text, settings(server)) for text in (ALIGNED, SPURIOUS, WRONG, NO_VERDICT)
        ]
    flags = ("score", "acc", "aligned", "asked", "parsed", "judge_ok")
    assert [tuple(score[flag] for flag in flags) for score in scores] == [
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        (0.0, 1.0, 0.0, 1.0, 1.0, 1.0),
        (0.0, 0.0, 0.0, 0.0, 1.0, 1.0),
        (0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    ]
    assert len(server.answered) == 2
    assert all(type(value) is float for score in scores for value in score.values())


async def test_the_letters_are_those_of_the_order_shown():
    row = judge_row(example(order="ba"), 0)
    async with ChatServer(answer=meta_answer) as server:
        mirrored = [await as_verl_calls(text, settings(server), row) for text in (ALIGNED, WRONG)]
    assert [score["score"] for score in mirrored] == [0.0, 1.0]


async def test_a_thought_that_the_template_opened_is_no_answer():
    thought = "\\boxed{A}, says the tide"
    plain = {"reward": "outcome"}
    assert (await as_verl_calls(thought, plain))["acc"] == 1.0
    assert (await as_verl_calls(thought, {**plain, "thought_opened": True}))["parsed"] == 0.0
    assert (await as_verl_calls(f"B?</think>{ALIGNED}", {**plain, "thought_opened": True}))["score"] == 1.0


async def test_samples_of_a_worker_share_calls_and_cap():
    async with ChatServer(answer=meta_answer, latency=0.02) as server:
        reward_kwargs = settings(server, concurrency=2)
        texts = [f"Tide {number % 6}.\n\n\\boxed{{A}}" for number in range(24)]
        scores = await asyncio.gather(*(as_verl_calls(text, reward_kwargs) for text in texts))
    assert {score["score"] for score in scores} == {1.0}
    assert server.arrived == 6
    assert server.most_in_flight == 2


@pytest.mark.parametrize("reward", ["ralign", "hybrid", "points"])
async def test_whatever_goes_wrong_every_sample_has_a_score_and_the_same_keys(reward):
    faults = every_fault(0.8, seed=3, hang=30)
    async with ChatServer(answer=meta_answer, faults=faults) as server:
        reward_kwargs = settings(
            server, reward=reward, deadline=0.4, try_timeout=0.2, outage_patience=0.5, first_wait=0.05
        )
        texts = [
            f"{text[:-9]} {number}{text[-9:]}" for number in range(10) for text in (ALIGNED, SPURIOUS, WRONG)
        ]
        texts.append(NO_VERDICT)
        scores = await asyncio.gather(*(as_verl_calls(text, reward_kwargs) for text in texts))
    assert all(set(score) == KEYS for score in scores)
    assert all(isinstance(value, float) for score in scores for value in score.values())
    fallbacks = [score for score in scores if not score["judge_ok"]]
    assert fallbacks
    assert all(score["asked"] == 1.0 and score["aligned"] == 0.0 for score in fallbacks)
    if reward == "ralign":
        assert all(0.0 < score["score"] < 1.0 and score["acc"] == 1.0 for score in fallbacks)
        assert all(score["score"] == score["aligned"] for score in scores if score["judge_ok"])


async def test_a_fallback_is_what_was_earned_of_late():
    async with ChatServer(answer=meta_answer, faults=lambda number, body: refused(number)) as server:
        reward_kwargs = settings(server, deadline=0.2)
        earned = [await as_verl_calls(f"Tide {n}.\n\n\\boxed{{A}}", reward_kwargs) for n in range(3)]
        late = await as_verl_calls("Tide again.\n\n\\boxed{A}", reward_kwargs)
        wrong = await as_verl_calls(WRONG, reward_kwargs)
    assert [score["score"] for score in earned] == [1.0] * 3
    assert late == {
        "score": 3.5 / 4,
        "acc": 1.0,
        "aligned": 0.0,
        "asked": 1.0,
        "parsed": 1.0,
        "judge_ok": 0.0,
    }
    assert wrong["judge_ok"] == 1.0


def refused(number: int) -> Fault | None:
    return Fault(kind="status", status=500) if number >= 3 else None


class Weather:
    """A meta-judge that answers 500 to everything until it is up."""

    def __init__(self) -> None:
        self.up = False

    def __call__(self, number: int, body: bytes) -> Fault | None:
        return None if self.up else Fault(kind="status", status=500)


async def test_a_worker_holds_its_samples_back_until_the_meta_judge_is_there_again(monkeypatch):
    weather = Weather()
    pauses: list[str] = []

    def recovers(line: str) -> None:
        pauses.append(line)
        weather.up = True

    monkeypatch.setattr("ralign.training.engines.verl.worker.warn", recovers)
    async with ChatServer(answer=meta_answer, faults=weather) as server:
        reward_kwargs = settings(server, deadline=0.2, outage_patience=30.0, first_wait=0.01)
        texts = [f"Tide {number}.\n\n\\boxed{{A}}" for number in range(40)]
        scores = await asyncio.gather(*(as_verl_calls(text, reward_kwargs) for text in texts))
    assert "training waits" in pauses[0]
    fallbacks = sum(score["judge_ok"] == 0 for score in scores)
    assert fallbacks < Limits().minimum, "fewer failures are no outage yet"
    assert {score["score"] for score in scores if score["judge_ok"]} == {1.0}


async def test_a_wait_in_vain_ends_for_all_samples_at_once():
    """One after the other, each would probe until its own patience is at its end."""
    async with ChatServer(answer=meta_answer, faults=Weather()) as server:
        reward_kwargs = settings(server, deadline=0.2, outage_patience=0.5, first_wait=0.1)
        texts = [f"Tide {number}.\n\n\\boxed{{A}}" for number in range(40)]
        scores = await asyncio.gather(*(as_verl_calls(text, reward_kwargs) for text in texts))
        asked = {body_of(request) for request in server.requests}
        arrived = server.arrived
        after = await as_verl_calls(ALIGNED, reward_kwargs)
    assert {(score["score"], score["judge_ok"]) for score in [*scores, after]} == {(0.5, 0.0)}
    assert len(asked) <= 40
    assert server.arrived == arrived, "one that was given up is not asked for a while"


def body_of(request) -> str:
    return request.prompt


async def test_a_wrong_key_is_no_exception_either():
    async with ChatServer(answer=meta_answer, key="sesame") as server:
        score = await as_verl_calls(ALIGNED, settings(server))
    assert (score["score"], score["judge_ok"]) == (0.5, 0.0)


async def test_a_node_without_the_key_still_reads_verdicts():
    async with ChatServer(answer=meta_answer) as server:
        reward_kwargs = settings(server, meta_judge_key_variable="NO_SUCH_KEY")
        scores = [await as_verl_calls(text, reward_kwargs) for text in (ALIGNED, WRONG)]
    assert [(score["score"], score["acc"], score["judge_ok"]) for score in scores] == [(0.5, 1, 0), (0, 0, 1)]


async def test_what_is_to_be_left_out_is_raised_and_nothing_else():
    async with ChatServer(answer=meta_answer, key="sesame") as server:
        reward_kwargs = settings(server, unscored="leave_out")
        with pytest.raises(NotScored, match="pair 'quay'"):
            await as_verl_calls(ALIGNED, reward_kwargs)
        assert (await as_verl_calls(WRONG, reward_kwargs))["judge_ok"] == 1.0
        with pytest.raises(NotScored, match="extra_info"):
            await as_verl_calls(ALIGNED, reward_kwargs, {**judge_row(example(), 0), "extra_info": {}})


@pytest.mark.parametrize(
    "row",
    [
        {**judge_row(example(), 0), "extra_info": {}},
        judge_row(example(make_pair(gold=None)), 0),
    ],
    ids=["not ours", "no gold rationale"],
)
async def test_a_row_that_cannot_be_scored_is_flagged(row):
    async with ChatServer(answer=meta_answer) as server:
        score = await as_verl_calls(ALIGNED, settings(server), row)
    assert set(score) == KEYS
    assert (score["judge_ok"], score["parsed"]) == (0.0, 0.0)


async def test_a_meta_judge_that_verl_serves_is_asked_at_its_router():
    async with ChatServer(answer=meta_answer) as server:
        address = server.url.removeprefix("http://").removesuffix("/v1")
        score = await as_verl_calls(
            ALIGNED, {"meta_judge": "test"}, reward_router_address=address, reward_model_tokenizer=object()
        )
    assert score["score"] == 1.0


async def test_every_score_is_written_with_its_weights_left_out_or_not(tmp_path):
    row = judge_row(example(), 0)
    row["extra_info"]["max_global_steps"] = 7
    log = {"reward_log": str(tmp_path / "rewards"), "unscored": "leave_out"}
    async with ChatServer(answer=meta_answer, faults=lambda number, body: refused(number + 2)) as server:
        reward_kwargs = settings(server, deadline=0.2, **log)
        await as_verl_calls(ALIGNED, reward_kwargs, row)
        with pytest.raises(NotScored):
            await as_verl_calls(SPURIOUS, reward_kwargs, row)
    (step,) = gather_steps(tmp_path / "rewards")
    assert (step.step, step.pairs, step.metrics["not_scored"]) == (7, ("quay",), 0.5)


async def test_a_log_that_cannot_be_written_costs_no_score(tmp_path):
    (tmp_path / "file").write_text("")
    async with ChatServer(answer=meta_answer) as server:
        score = await as_verl_calls(ALIGNED, settings(server, reward_log=str(tmp_path / "file" / "rewards")))
    assert score["score"] == 1.0


async def test_a_setting_that_there_is_not_is_an_error():
    with pytest.raises(TypeError, match="metajudge"):
        await as_verl_calls(ALIGNED, {"metajudge": "test"})

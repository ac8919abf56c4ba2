import asyncio
import json
import threading
import time
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, nullcontext

import pytest
from tests.training.reward_pieces import OrderedMetaJudge, make_pair

from ralign.errors import BadRow, InputError
from ralign.records import PreferencePair
from ralign.training.rates import RATE_NAMES
from ralign.training.reward_loop import GenRMReward
from ralign.training.trl_reward import TrlReward, pair_columns, text_of

pytestmark = pytest.mark.filterwarnings("default")  # of torch's and TRL's own

END = 1
"""The only id that ends a completion."""


def reward_of(meta_judge=None, **options) -> TrlReward:
    reward = GenRMReward("ralign", meta_judge or OrderedMetaJudge())
    return TrlReward(lambda: nullcontext(reward), end_tokens=[END], **options)


def columns_of(*pairs: PreferencePair, order="ab") -> dict[str, list[str]]:
    rows = [pair_columns(pair, order) for pair in pairs]
    return {name: [row[name] for row in rows] for name in rows[0]}


async def call(reward, completions, ids=None, **more):
    ids = ids or [[5, END]] * len(completions)
    columns = columns_of(*[make_pair()] * len(completions))
    return await reward(
        prompts=["?"] * len(completions), completions=completions, completion_ids=ids, **columns | more
    )


@pytest.mark.parametrize(
    "wrapped", [lambda text: text, lambda text: [{"role": "assistant", "content": text}]]
)
async def test_plain_and_conversational_completions_earn_the_same(wrapped):
    texts = [
        "the tide \\boxed{A}",
        "longer \\boxed{A}",
        "the tide \\boxed{B}",
        "<think>\\boxed{A}</think>Hm.",
    ]
    assert await call(reward_of(), [wrapped(text) for text in texts]) == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("key", ["reasoning_content", "thinking"])
async def test_a_thought_that_the_tokenizer_parted_is_a_thought_all_the_same(key):
    meta_judge = OrderedMetaJudge()
    message = {"role": "assistant", key: "The tide?", "content": "Longer. \\boxed{A}"}
    assert await call(reward_of(meta_judge), [[message]]) == [0.0]
    assert meta_judge.rationales == ["Longer."]
    # A thought that was parsed as one is closed, although the prompt had opened it.
    assert await call(reward_of(meta_judge, thought_opened=True), [[message]]) == [0.0]
    assert len(meta_judge.rationales) == 2


async def test_no_end_token_is_a_cut_and_a_cut_has_no_verdict():
    """Pitfall 11."""
    meta_judge = OrderedMetaJudge()
    cut_or_not = [[5, END], [5, 6], [END, 5], []]
    rewards = await call(reward_of(meta_judge), ["the tide \\boxed{A}"] * 4, cut_or_not)
    assert rewards == [1.0, 0.0, 0.0, 0.0]
    assert len(meta_judge.rationales) == 1


async def test_the_pair_and_the_order_come_from_the_columns_without_loss():
    pair = make_pair("pier", label="B")
    odd = PreferencePair(
        **{name: getattr(pair, name) for name in ("conversation", "response_a", "response_b", "label")},
        id="7",
        gold_judgment="Hm.</think>The tide.",
        benchmark="harbour",
        source={"subset": "tides", "depth": [1, {"m": 2}]},
        unknown={"id": 7, "weight": 0.5},
    )
    seen = []

    class Seeing(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            seen.append((pair, judgment.order))
            return await super().meta_judge(pair, judgment, vote)

    columns = columns_of(pair, odd, order="ba")
    completions = ["the tide \\boxed{A}"] * 2
    assert await call(reward_of(Seeing()), completions, **columns) == [1.0, 1.0]
    assert seen == [(pair, "ba"), (odd, "ba")]


async def test_every_rate_is_logged_under_the_same_name_and_the_table_says_why():
    metrics, table = {}, {}
    meta_judge = OrderedMetaJudge(lambda rationale: "500" if "high" in rationale else "tide" in rationale)
    completions = ["tide \\boxed{A}", "high \\boxed{A}", "tide \\boxed{B}", "tide"]
    await call(
        reward_of(meta_judge), completions, log_metric=metrics.__setitem__, log_extra=table.__setitem__
    )
    assert list(metrics) == [f"ralign/{name}" for name in RATE_NAMES]
    assert metrics["ralign/not_scored"] == 0.25
    assert table == {
        "verdict": ["A", "A", "B", None],
        "aligned": [True, None, None, None],
        "why_not_scored": [None, "500", None, None],
    }


async def test_data_without_the_columns_or_with_a_broken_pair_is_named():
    with pytest.raises(InputError, match="no column pair, benchmark, order; `pair_columns` makes them"):
        await reward_of()(prompts=[], completions=[], completion_ids=[])
    broken = {"pair": [json.dumps({"id": "x"})]}
    with pytest.raises(BadRow, match="the column 'pair':1: conversations is missing"):
        await call(reward_of(), ["tide"], **broken)
    with pytest.raises(InputError, match="expected a text or a list of one message"):
        text_of([{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}])
    with pytest.raises(InputError, match="expected a text"):
        text_of([{"role": "assistant", "content": [{"type": "image"}]}])


def test_leaving_closes_the_reward_in_its_own_loop_and_ends_what_still_runs_there():
    """As after Ctrl-C in a pause: the trainer's loop, in its thread, would go on asking."""
    events = []
    meta_judge = OrderedMetaJudge(latency=30.0)

    @asynccontextmanager
    async def open_reward():
        loop = asyncio.get_running_loop()
        yield GenRMReward("ralign", meta_judge)
        events.append(("closed", asyncio.get_running_loop() is loop, meta_judge.in_flight))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with TrlReward(open_reward, end_tokens=[END]) as reward:
        scoring = asyncio.run_coroutine_threadsafe(call(reward, ["tide \\boxed{A}"]), loop)
        while not meta_judge.in_flight:
            time.sleep(0.001)
    with pytest.raises(CancelledError):
        scoring.result(timeout=1)
    assert events == [("closed", True, 0)]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_leaving_without_having_scored_opens_nothing():
    opened = []
    with TrlReward(lambda: opened.append(1), end_tokens=[END]):
        pass
    assert opened == []

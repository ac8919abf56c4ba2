import asyncio
import json
import threading
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.training.reward_pieces import OrderedMetaJudge, make_pair

from ralign.errors import InputError
from ralign.judging import FORMATS
from ralign.training.engines.trl.reward import TrlReward, text_of
from ralign.training.reward.judge_reward import GenRMReward
from ralign.training.reward.reward_metrics import JUDGE_METRICS
from ralign.training.reward.scored import Completion

pytestmark = pytest.mark.filterwarnings("default")  # of torch's and TRL's own

CASES = Path(__file__).parents[5] / "shared/cases/verdicts.jsonl"
END = 1
"""The only id that ends a completion."""


PAIRS = [make_pair(), make_pair("pier", label="B")]


def reward_of(meta_judge=None, *, thought_opened=False, order="ab", **options) -> TrlReward:
    reward = GenRMReward("ralign", meta_judge or OrderedMetaJudge())
    return TrlReward(lambda: nullcontext(reward), reading(thought_opened, order), end_tokens=[END], **options)


def reading(thought_opened=False, order="ab"):
    return lambda row, text, finish_reason: Completion(
        pair=PAIRS[row],
        order=order,
        text=text,
        finish_reason=finish_reason,
        thought_opened=thought_opened,
    )


async def call(reward, completions, ids=None, **more):
    ids = ids or [[5, END]] * len(completions)
    given = {"row": [0] * len(completions)} | more
    return await reward(
        prompts=["?"] * len(completions), completions=completions, completion_ids=ids, **given
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
    meta_judge = OrderedMetaJudge()
    cut_or_not = [[5, END], [5, 6], [END, 5], []]
    rewards = await call(reward_of(meta_judge), ["the tide \\boxed{A}"] * 4, cut_or_not)
    assert rewards == [1.0, 0.0, 0.0, 0.0]
    assert len(meta_judge.rationales) == 1


async def test_the_rows_say_which_examples_are_scored_and_are_noted():
    seen = []

    class Seeing(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            seen.append((pair, judgment.order))
            return await super().meta_judge(pair, judgment, vote)

    reward = reward_of(Seeing(), order="ba")
    completions = ["the tide \\boxed{A}", "the tide \\boxed{B}"]
    assert await call(reward, completions, row=[1, 0]) == [1.0, 1.0]
    assert seen == [(PAIRS[1], "ba"), (PAIRS[0], "ba")]
    assert reward.take_rows() == [1, 0]
    assert reward.take_rows() == []


async def test_every_rate_is_logged_under_the_same_name_and_the_table_says_why():
    metrics, table = {}, {}
    meta_judge = OrderedMetaJudge(lambda rationale: "500" if "high" in rationale else "tide" in rationale)
    completions = ["tide \\boxed{A}", "high \\boxed{A}", "tide \\boxed{B}", "tide"]
    await call(
        reward_of(meta_judge), completions, log_metric=metrics.__setitem__, log_extra=table.__setitem__
    )
    assert list(metrics) == [f"ralign/{name}" for name in JUDGE_METRICS]
    assert metrics["ralign/not_scored"] == 0.25
    assert table == {
        "verdict": ["A", "A", "B", None],
        "aligned": [True, None, None, None],
        "why_not_scored": [None, "500", None, None],
    }


async def test_the_training_step_is_told_where_a_step_takes_several_updates():
    """A second judge has its turn by training steps; TRL's trainer counts optimizer steps."""
    steps = []

    class Counting(GenRMReward):
        async def score(self, completions, *, step=0):
            steps.append(step)
            return await super().score(completions, step=step)

    reward = TrlReward(lambda: nullcontext(Counting("outcome", None)), reading(), end_tokens=[END], updates=4)
    for number in (0, 4, 8):
        await call(reward, ["tide"], trainer_state=SimpleNamespace(global_step=number))
    assert steps == [0, 1, 2]


def test_what_is_no_completion_is_named():
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
    with TrlReward(open_reward, reading(), end_tokens=[END]) as reward:
        scoring = asyncio.run_coroutine_threadsafe(call(reward, ["tide \\boxed{A}"]), loop)
        meta_judge.asked.wait(timeout=30)
    with pytest.raises(CancelledError):
        scoring.result(timeout=1)
    assert events == [("closed", True, 0)]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_leaving_without_having_scored_opens_nothing():
    opened = []
    with TrlReward(lambda: opened.append(1), reading(), end_tokens=[END]):
        pass
    assert opened == []


@pytest.mark.parametrize(
    "text",
    [
        "<think>\\boxed{B}?</think>the tide \\boxed{A}",
        "<thinking>\\boxed{B}?</thinking>the tide \\boxed{A}",
        "[THINK]\\boxed{B}?[/THINK]the tide \\boxed{A}",
        "<|channel|>analysis<|message|>\\boxed{B}?<|end|><|start|>assistant<|channel|>final<|message|>"
        "the tide \\boxed{A}",
        # As TRL decodes it, without special tokens.
        "analysisIs it \\boxed{B}?assistantfinalthe tide \\boxed{A}",
    ],
)
async def test_a_thought_in_any_syntax_earns_nothing_and_costs_nothing(text):
    meta_judge = OrderedMetaJudge()
    assert await call(reward_of(meta_judge), [text]) == [1.0]
    assert meta_judge.rationales == ["the tide"]


async def test_marks_that_trl_does_not_decode_are_read_from_the_tokens():
    """Mistral's are special tokens: TRL's text has none, and holds two verdicts."""
    decoded = {5: "[THINK]\\boxed{B}?[/THINK]the tide \\boxed{A}"}
    glued = "\\boxed{B}?the tide \\boxed{A}"
    assert await call(reward_of(), [glued]) == [0.0]
    assert await call(reward_of(decode=lambda ids: decoded[ids[0]]), [glued]) == [1.0]


@pytest.mark.parametrize("closer", ["</think>", "</thought>", "[/THINK]"])
async def test_a_thought_that_the_prompt_opened_ends_with_its_own_tag(closer):
    texts = [f"Is it \\boxed{{B}}?{closer}the tide \\boxed{{A}}", "Is it \\boxed{A}?"]
    assert await call(reward_of(thought_opened=True), texts) == [1.0, 0.0]


@pytest.mark.skipif(not CASES.exists(), reason="the cases in ../shared are not there")
async def test_every_recorded_form_of_a_verdict_is_rewarded_as_it_is_meant():
    for line in CASES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        scored = GenRMReward("outcome", None, written_in=FORMATS[row["format"]])
        reward = TrlReward(lambda scored=scored: nullcontext(scored), reading(), end_tokens=[END])
        verdicts = {}
        (earned,) = await call(reward, [row["text"]], log_extra=verdicts.__setitem__)
        assert verdicts["verdict"] == [row["verdict"]], row
        assert earned == float(row["verdict"] == "A")

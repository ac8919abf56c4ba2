import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training.reward_pieces import Hours, OrderedMetaJudge, make_pair, right, wrong

from ralign.errors import EndpointRefused, InputError, MetaJudgeDown
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import Sampling, ScriptedModel
from ralign.records import GoldPoint, MetaJudgment
from ralign.rewards.judge import HybridReward
from ralign.training.breaker import Limits
from ralign.training.completions import Completion, read_completion
from ralign.training.outage import OutagePlan
from ralign.training.reward_loop import REWARDS, GenRMReward, RewardRule

NO_VERDICT = Completion(pair=make_pair(), text="The tide, I think.", finish_reason="stop")
ALIGNED, SPURIOUS = right("the tide is named"), right("it is longer")


def outage(hours=None, **fields):
    limits = Limits(threshold=0.5, window=8, minimum=4)
    return {"outage": OutagePlan(limits=limits, first_wait=5, **fields)} | (
        {} if hours is None else {"clock": hours, "sleep": hours.sleep, "tell": lambda line: None}
    )


@pytest.mark.parametrize(
    ("name", "rewards", "asked"),
    [
        ("outcome", [1.0, 1.0, 0.0, 0.0], 0),
        ("ralign", [1.0, 0.0, 0.0, 0.0], 2),
        ("hybrid", [1.0, 0.5, 0.0, 0.5], 4),
    ],
)
async def test_the_meta_judge_is_asked_only_where_the_reward_needs_it(name, rewards, asked):
    meta_judge = OrderedMetaJudge()
    batch = await GenRMReward(name, meta_judge).score([ALIGNED, SPURIOUS, wrong(), NO_VERDICT])
    assert batch.rewards == rewards
    assert len(meta_judge.rationales) == asked
    assert batch.rates["asked"] == asked / 4
    assert [each.meta_judgment is not None for each in batch.scored].count(True) == asked
    assert [each.right for each in batch.scored] == [True, True, False, False]


async def test_pointwise_pays_the_points_stated_of_every_completion():
    class Points:
        async def meta_judge(self, pair, judgment, vote):
            points = (GoldPoint(text="tide", stated="tide" in judgment.rationale),)
            return MetaJudgment(pair_id=pair.id, aligned=True, points=points)

    batch = await GenRMReward("points", Points()).score([ALIGNED, SPURIOUS, wrong("the tide")])
    assert batch.rewards == [2.0, 1.0, 1.0]


async def test_a_rule_of_ones_own_says_formula_and_need():
    rule = RewardRule(formula=HybridReward(weight=0.25), asks="all")
    assert (await GenRMReward(rule, OrderedMetaJudge()).score([SPURIOUS])).rewards == [0.75]


async def test_a_failed_meta_judgment_is_not_scored_and_leaves_the_others_alone():
    """Pitfall 2."""
    meta_judge = OrderedMetaJudge(lambda rationale: "500" if "longer" in rationale else True)
    batch = await GenRMReward("ralign", meta_judge).score([ALIGNED, SPURIOUS, wrong()])
    assert batch.rewards == [1.0, None, 0.0]
    assert batch.scored[1].meta_judgment.detail == "500"
    assert batch.rates["meta_failed"] == batch.rates["not_scored"] == 1 / 3


async def test_what_has_not_answered_by_the_deadline_is_not_scored_cancelled_and_counted():
    """Pitfall 16."""

    class Uneven(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            self.latency = 30.0 if "slow" in judgment.rationale else 0.0
            return await super().meta_judge(pair, judgment, vote)

    meta_judge = Uneven()
    reward = GenRMReward("ralign", meta_judge, deadline=0.05)
    batch = await reward.score([right("slow tide"), ALIGNED, right("slow ebb"), wrong()])
    assert batch.rewards == [None, 1.0, None, 0.0]
    assert [each.late for each in batch.scored] == [True, False, True, False]
    assert batch.scored[0].meta_judgment.detail == "no answer within 0.05 s"
    assert batch.rates["late"] == batch.rates["meta_failed"] == 0.5
    await asyncio.sleep(0.01)
    assert meta_judge.in_flight == 0


async def test_a_few_stragglers_are_no_outage_but_a_batch_of_them_is():
    """Those that are late are late together: in a row they would trip any breaker."""

    class Stuck(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            self.latency = 30.0 if "slow" in judgment.rationale else 0.0
            return await super().meta_judge(pair, judgment, vote)

    reward = GenRMReward("ralign", Stuck(), deadline=0.4, **outage(policy="stop"))
    few = [*(right(f"slow tide {n}") for n in range(10)), *(right(f"tide {n}") for n in range(11))]
    assert (await reward.score(few)).rates["late"] == 10 / 21
    with pytest.raises(MetaJudgeDown, match=r"last: no answer within 0.4 s"):
        await reward.score(few[:-2])


async def test_duplicates_in_a_batch_are_asked_once_and_earn_the_same():
    meta_judge = OrderedMetaJudge()
    elsewhere = replace(ALIGNED, pair=make_pair("pier"))
    batch = await GenRMReward("ralign", meta_judge).score([ALIGNED, SPURIOUS, ALIGNED, elsewhere, ALIGNED])
    assert len(meta_judge.rationales) == 3
    assert batch.rewards == [1.0, 0.0, 1.0, 1.0, 1.0]
    assert [each.duplicate for each in batch.scored] == [False, False, True, False, True]


async def test_a_text_earns_the_same_whenever_it_comes():
    """A meta-judge that changes its mind would move a reward that nothing moved."""
    minds = iter([True, False])
    reward = GenRMReward("ralign", OrderedMetaJudge(lambda _: next(minds)))
    assert [(await reward.score([ALIGNED])).rewards for _ in range(3)] == [[1.0]] * 3


async def test_one_by_one_scores_as_a_batch_does_with_the_same_cap_and_the_same_calls():
    completions = [right(f"tide {n % 8}") for n in range(32)] + [wrong(), NO_VERDICT]
    together, singly = OrderedMetaJudge(latency=0.002), OrderedMetaJudge(latency=0.002)
    batch = await GenRMReward("ralign", together, concurrency=3).score(completions)
    reward = GenRMReward("ralign", singly, concurrency=3)
    singles = await asyncio.gather(*map(reward.score_one, completions))
    assert [each.reward for each in singles] == batch.rewards
    assert len(singly.rationales) == len(together.rationales) == 8
    assert singly.most_in_flight == together.most_in_flight == 3


async def test_calls_are_answered_while_completions_are_still_being_read():
    read: list[int] = []

    class Watching(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            read.append(len(seen))
            return await super().meta_judge(pair, judgment, vote)

    seen: list[Completion] = []

    class Noting(list):
        def __iter__(self):
            for each in super().__iter__():
                seen.append(each)
                yield each

    completions = Noting(right(f"tide {n}") for n in range(256))
    await GenRMReward("ralign", Watching()).score(completions)
    assert read[0] < 64
    assert len(read) == 256


async def test_a_pair_without_a_gold_rationale_is_named_where_the_reward_needs_one():
    bare = right("the tide", pair=make_pair("pier", gold=None))
    reward = GenRMReward("ralign", OrderedMetaJudge())
    with pytest.raises(InputError, match="pair 'pier' has no gold rationale"):
        await reward.score([ALIGNED, bare])
    assert (await GenRMReward("outcome", None).score([bare])).rewards == [1.0]
    # One with a wrong verdict needs none.
    assert (await reward.score([replace(bare, text="\\boxed{B}")])).rewards == [0.0]


async def test_an_endpoint_that_refuses_ends_it_at_once_and_leaves_no_call_behind():
    meta_judge = OrderedMetaJudge(lambda rationale: EndpointRefused("401") if "0" in rationale else True)
    meta_judge.latency = 0.001
    reward = GenRMReward("ralign", meta_judge, concurrency=2)
    with pytest.raises(EndpointRefused):
        await reward.score([right(f"tide {n}") for n in range(100)])
    await asyncio.sleep(0.01)
    assert meta_judge.in_flight == 0
    assert len(meta_judge.rationales) < 10


async def test_a_batch_that_is_cancelled_takes_its_calls_along():
    meta_judge = OrderedMetaJudge(latency=30.0)
    scoring = asyncio.create_task(GenRMReward("ralign", meta_judge).score([ALIGNED, SPURIOUS]))
    await asyncio.sleep(0.01)
    assert meta_judge.in_flight == 2
    scoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scoring
    await asyncio.sleep(0.01)
    assert meta_judge.in_flight == 0


async def test_when_the_meta_judge_is_down_the_batch_waits_and_all_that_failed_is_asked_again():
    hours, up = Hours(), []
    meta_judge = OrderedMetaJudge(lambda rationale: "tide" in rationale if up else "down")
    hours.on_sleep = lambda: up.append(True) if hours.now > 60 else None
    reward = GenRMReward("ralign", meta_judge, concurrency=1, **outage(hours))
    batch = await reward.score([*(right(f"tide {n}") for n in range(20)), SPURIOUS, wrong()])
    assert batch.rewards == [1.0] * 20 + [0.0, 0.0]
    assert hours.slept == [5, 10, 20, 40]
    assert batch.rates["paused_seconds"] == batch.rates["seconds"] == 75
    # The first four opened the breaker, three probes failed, the fourth's answer counted.
    assert len(meta_judge.rationales) == 4 + 4 + 20


async def test_probes_take_turns_so_that_one_hopeless_question_cannot_keep_training_waiting():
    hours, up = Hours(), []
    meta_judge = OrderedMetaJudge(lambda rationale: bool(up and "hopeless" not in rationale) or "down")
    hours.on_sleep = lambda: up.append(True)
    reward = GenRMReward("ralign", meta_judge, **outage(hours))
    batch = await reward.score([right("hopeless"), *(right(f"tide {n}") for n in range(4))])
    assert batch.rewards == [None, 1.0, 1.0, 1.0, 1.0]
    assert hours.slept == [5, 10]


async def test_single_calls_wait_out_an_outage_together():
    hours, up = Hours(), []
    meta_judge = OrderedMetaJudge(lambda _: bool(up) or "down", latency=0.001)
    hours.on_sleep = lambda: up.append(True) if hours.now > 30 else None
    reward = GenRMReward("ralign", meta_judge, **outage(hours))
    singles = await asyncio.gather(*(reward.score_one(right(f"tide {n}")) for n in range(16)))
    assert [each.reward for each in singles].count(1.0) == 16
    assert hours.slept == [5, 10, 20]


async def test_few_failures_are_no_outage():
    meta_judge = OrderedMetaJudge(lambda rationale: "500" if rationale[-1] in "258" else True)
    reward = GenRMReward("ralign", meta_judge, **outage(policy="stop"))
    batch = await reward.score([right(f"tide {n}") for n in range(100)])
    assert batch.rates["not_scored"] == 0.3


async def test_told_to_stop_it_raises_what_names_the_endpoint():
    reward = GenRMReward(
        "ralign",
        OrderedMetaJudge(lambda _: "503"),
        meta_judge_name="'m' at http://quay",
        **outage(policy="stop"),
    )
    with pytest.raises(
        MetaJudgeDown, match=r"^'m' at http://quay failed 4 of the last 4 calls, last: 503; stopped"
    ):
        await reward.score([right(f"tide {n}") for n in range(9)])


def test_a_reward_that_needs_a_meta_judge_is_not_made_without_one():
    with pytest.raises(InputError, match="'ralign' needs a meta-judge"):
        GenRMReward("ralign", None)
    with pytest.raises(InputError, match="deadline is 0"):
        GenRMReward("outcome", None, deadline=0)


SAYS = st.sampled_from([True, False, "500"])
DRAWN = st.tuples(st.integers(0, 3), st.sampled_from(["A", "B", None]), st.sampled_from(["ab", "ba"]))


@given(st.lists(DRAWN, max_size=40), st.lists(SAYS, min_size=4, max_size=4), st.sampled_from(sorted(REWARDS)))
def test_whatever_comes_it_earns_what_it_would_have_earned_alone(drawn, says, name):
    """Against the plainest loop there is: read, ask, reward, one after the other."""
    completions = [
        Completion(
            pair=make_pair(),
            order=order,
            text=f"reason {number}" + (f" \\boxed{{{verdict}}}" if verdict else ""),
        )
        for number, verdict, order in drawn
    ]

    async def plainly(meta_judge):
        for each in completions:
            judgment = read_completion(each)
            meta = await meta_judge.meta_judge(each.pair, judgment, 0)
            yield REWARDS[name].formula("A", judgment, meta)

    async def both():
        said = OrderedMetaJudge(lambda rationale: says[int(rationale.split()[1])])
        options = {"outage": OutagePlan(limits=Limits(window=1000, minimum=1000))}
        batch = await GenRMReward(name, said, concurrency=3, **options).score(completions)
        return batch.rewards, [reward async for reward in plainly(said)]

    together, alone = asyncio.run(both())
    assert together == alone


async def seconds_of(name, latency, number):
    """One batch of 512 right completions, each with a rationale of its own, the meta-judge's prompt included."""
    model = ScriptedModel(lambda *call: "VERDICT: Correct", latency=latency, remember=False)
    meta_judge = ChatMetaJudge(model=model, prompt=Prompt.load(None, META_PROMPT), sampling=Sampling())
    completions = [right(f"tide {number} {each}") for each in range(512)]
    batch = await GenRMReward(name, meta_judge).score(completions)
    assert batch.rewards == [1.0] * 512
    assert model.most_in_flight == (512 if name == "ralign" else 0)
    return batch.rates["seconds"]


async def test_a_batch_costs_little_more_than_the_latency_of_one_call():
    """512 completions: all calls at once add one latency, and less than another for all else. Pitfall 16.

    `benchmarks/reward_loop.py` measures it with real HTTP and in TRL's step. Best of three: the machine is shared.
    """
    latency = 0.6
    added = [
        await seconds_of("ralign", latency, number) - await seconds_of("outcome", latency, number)
        for number in range(3)
    ]
    assert latency <= min(added) <= 2 * latency

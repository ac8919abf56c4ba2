import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training.reward_pieces import Hours, OrderedMetaJudge, make_pair, right, until, wrong

from ralign.errors import EndpointRefused, InputError, MetaJudgeDown
from ralign.records import GoldPoint, MetaJudgment
from ralign.rewards.judge import HybridReward
from ralign.training.reward.circuit_breaker import Limits
from ralign.training.reward.judge_reward import REWARDS, GenRMReward, RewardRule, read_completion
from ralign.training.reward.outage import OutagePlan
from ralign.training.reward.scored import Completion

NO_VERDICT = Completion(pair=make_pair(), text="The tide, I think.", finish_reason="stop")
ALIGNED, SPURIOUS = right("the tide is named"), right("it is longer")


def outage(hours=None, **fields):
    limits = Limits(threshold=0.5, window=8, minimum=4)
    return {"outage": OutagePlan(limits=limits, first_wait=5, **fields)} | (
        {} if hours is None else {"clock": hours, "sleep": hours.sleep, "log": lambda line: None}
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
    assert batch.metrics["asked"] == asked / 4
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
    """Not 0, which would teach that it was bad."""
    meta_judge = OrderedMetaJudge(lambda rationale: "500" if "longer" in rationale else True)
    batch = await GenRMReward("ralign", meta_judge).score([ALIGNED, SPURIOUS, wrong()])
    assert batch.rewards == [1.0, None, 0.0]
    assert batch.scored[1].meta_judgment.detail == "500"
    assert batch.metrics["meta_failed"] == batch.metrics["not_scored"] == 1 / 3


async def test_what_has_not_answered_by_the_deadline_is_not_scored_cancelled_and_counted():

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
    assert batch.metrics["late"] == batch.metrics["meta_failed"] == 0.5
    await until(lambda: meta_judge.in_flight == 0)


async def test_a_few_stragglers_are_no_outage_but_a_batch_of_them_is():
    """Those that are late are late together: in a row they would trip any breaker."""

    class Stuck(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            self.latency = 30.0 if "slow" in judgment.rationale else 0.0
            return await super().meta_judge(pair, judgment, vote)

    reward = GenRMReward("ralign", Stuck(), deadline=0.4, **outage(policy="stop"))
    few = [*(right(f"slow tide {n}") for n in range(10)), *(right(f"tide {n}") for n in range(11))]
    assert (await reward.score(few)).metrics["late"] == 10 / 21
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
    await until(lambda: meta_judge.in_flight == 0)
    assert len(meta_judge.rationales) < 10


async def test_a_batch_that_is_cancelled_takes_its_calls_along():
    meta_judge = OrderedMetaJudge(latency=30.0)
    scoring = asyncio.create_task(GenRMReward("ralign", meta_judge).score([ALIGNED, SPURIOUS]))
    await until(lambda: meta_judge.in_flight == 2)
    scoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scoring
    await until(lambda: meta_judge.in_flight == 0)
    assert meta_judge.ended == 0


async def test_when_the_meta_judge_is_down_the_batch_waits_and_all_that_failed_is_asked_again():
    hours, up = Hours(), []
    meta_judge = OrderedMetaJudge(lambda rationale: "tide" in rationale if up else "down")
    hours.on_sleep = lambda: up.append(True) if hours.now > 60 else None
    reward = GenRMReward("ralign", meta_judge, concurrency=1, **outage(hours))
    batch = await reward.score([*(right(f"tide {n}") for n in range(20)), SPURIOUS, wrong()])
    assert batch.rewards == [1.0] * 20 + [0.0, 0.0]
    assert hours.slept == [5, 10, 20, 40]
    assert batch.metrics["paused_seconds"] == batch.metrics["seconds"] == 75
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
    assert batch.metrics["not_scored"] == 0.3


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
    with pytest.raises(InputError, match="deadline 0"):
        GenRMReward("outcome", None, deadline=0)
    for votes in (0, 2):
        with pytest.raises(InputError, match=f"votes is {votes}, expected an odd number"):
            GenRMReward("outcome", None, votes=votes)


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


@pytest.mark.parametrize(
    ("votes", "reward"),
    [
        ([True, False, True], 1.0),
        (["down", False, "down"], 0.0),
        (["down", False, True], None),
        (["down", "down", "down"], None),
    ],
)
async def test_the_majority_of_the_votes_that_answered_counts(votes, reward):
    said = list(votes)
    meta_judge = OrderedMetaJudge(lambda _: said.pop(0))
    batch = await GenRMReward("ralign", meta_judge, votes=len(votes)).score([ALIGNED])
    assert batch.rewards == [reward]
    assert meta_judge.votes == list(range(len(votes)))


async def test_the_cap_holds_over_all_batches_and_all_their_votes():
    meta_judge = OrderedMetaJudge(latency=0.002)
    reward = GenRMReward("ralign", meta_judge, concurrency=5, votes=3)
    await asyncio.gather(*(reward.score_one(right(f"tide {n}")) for n in range(20)))
    assert meta_judge.most_in_flight == 5
    assert len(meta_judge.rationales) == 60


async def test_a_rationale_that_says_nothing_is_misaligned_and_no_sign_that_the_meta_judge_is_up():
    """Nobody is called about it; a batch full of such would hide an outage from the breaker."""
    meta_judge = OrderedMetaJudge(lambda _: "down")
    silent = [right(reason) for reason in ("...", "!", "?", "...?")]
    assert (await GenRMReward("ralign", meta_judge).score(silent)).rewards == [0.0] * 4
    assert meta_judge.rationales == []
    reward = GenRMReward("ralign", meta_judge, **outage(policy="stop"))
    with pytest.raises(MetaJudgeDown, match="failed 4 of the last 4 calls"):
        await reward.score([each for n in range(4) for each in (*silent, right(f"tide {n}"))])


async def test_all_calls_of_a_batch_are_out_at_once_so_that_it_takes_one_latency_and_not_512():
    """Virtual time: no call is answered before all 512 are out. `benchmarks/reward_loop.py` measures the seconds."""
    everyone = asyncio.Event()

    class Together(OrderedMetaJudge):
        async def meta_judge(self, pair, judgment, vote):
            if self.in_flight == 511:
                everyone.set()
            self.in_flight += 1
            await everyone.wait()
            return MetaJudgment(pair_id=pair.id, aligned=True)

    batch = await GenRMReward("ralign", Together(), deadline=60).score(
        [right(f"tide {n}") for n in range(512)]
    )
    assert batch.rewards == [1.0] * 512

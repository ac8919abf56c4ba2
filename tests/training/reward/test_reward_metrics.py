import math

import pytest
from tests.training.reward_pieces import make_pair, right, wrong

from ralign.records import MetaJudgment
from ralign.training.reward.judge_reward import read_completion
from ralign.training.reward.reward_metrics import JUDGE_METRICS, judge_metrics
from ralign.training.reward.scored import Completion, ScoredJudgment


def scored(completion, *, aligned=None, asked=False, reward=0.0, **marks):
    meta = MetaJudgment(pair_id="quay", aligned=aligned) if asked or aligned is not None else None
    judgment = read_completion(completion)
    is_right = judgment.verdict == completion.pair.label
    return ScoredJudgment(reward=reward, judgment=judgment, meta_judgment=meta, right=is_right, **marks)


def test_six_completions_worked_by_hand():
    """What failed is left out of `aligned_of_asked`, and counted beside it."""
    batch = [
        scored(right(), aligned=True, reward=1.0),
        scored(right(), aligned=True, reward=1.0, duplicate=True),
        scored(right(), aligned=False),
        scored(right(), asked=True, reward=None, late=True),
        scored(wrong()),
        scored(Completion(pair=make_pair(), text="no box")),
    ]
    assert judge_metrics(batch, seconds=2.5, paused_seconds=1.0) == {
        "parse_failure": 1 / 6,
        "label_right": 4 / 6,
        "asked": 4 / 6,
        "aligned_of_asked": 2 / 3,
        "meta_failed": 1 / 6,
        "late": 1 / 6,
        "not_scored": 1 / 6,
        "duplicate": 1 / 6,
        "seconds": 2.5,
        "paused_seconds": 1.0,
    }


@pytest.mark.parametrize("batch", [[], [scored(wrong())], [scored(right(), aligned=True)]])
def test_the_names_are_the_same_every_time_and_what_is_unknown_is_nan(batch):
    """TRL averages a metric over ranks, which must therefore all log it."""
    rates = judge_metrics(batch, seconds=0.0)
    assert tuple(rates) == JUDGE_METRICS
    assert math.isnan(rates["aligned_of_asked"]) == (not batch or not batch[0].right)

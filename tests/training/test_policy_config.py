from typing import Any

import pytest
from tests.training.configs import policy_config

from ralign.errors import InputError
from ralign.training.config import PolicyConfig


def config(**given: Any) -> PolicyConfig:
    return policy_config(**{"judge": "j"} | given)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"judge": None}, "give either --judge MODEL"),
        ({"reward_url": "http://localhost:1"}, "give either --judge MODEL"),
        ({"judge": None, "reward_url": "u", "judge_url": "v"}, "--judge-url needs --judge"),
        ({"second_judge_url": "u"}, "--second-judge-url needs --second-judge"),
        ({"against": "group"}, "--length-penalty is dynamic with --against group"),
        (
            {"against": "group", "length_penalty": "none", "neighbors": 4},
            "--neighbors is 4, expected 1 to 3",
        ),
        ({"neighbors": 1}, "--neighbors is for --against group"),
        (
            {"judge": None, "reward_url": "u", "format_penalty": 1.0},
            "--format-penalty is not for --reward-url",
        ),
        ({"judge": None, "reward_url": "u", "second_judge": "k"}, "--second-judge is not for --reward-url"),
        ({"length_coefficient": -1.0}, "--length-coefficient is -1.0"),
        ({"length_target": 0.0}, "--length-target is 0.0"),
        # What `ralign train` refuses is refused here in the same words.
        ({"group_size": 1}, "--group-size is 1, expected 2 or more"),
        ({"vllm": "server"}, "--vllm server needs --vllm-url"),
        ({"micro_batch": 0}, "--micro-batch is 0"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        config(**given)


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        ({}, 2),
        ({"side": "drawn"}, 1),
        # Eight answers make 28 pairs: 3.5 an answer, in either order.
        ({"against": "group", "length_penalty": "none"}, 7),
        ({"against": "group", "length_penalty": "none", "neighbors": 2, "side": "drawn"}, 2),
    ],
)
def test_the_calls_an_answer_costs_follow_from_what_it_is_compared_with(
    given: dict[str, Any], calls: float
) -> None:
    assert config(**given).calls_per_answer == calls


def test_what_changes_the_weights_names_the_run_and_what_does_not_does_not() -> None:
    one = config().identity({"prompts_digest": "d"})
    assert one["prompts_digest"] == "d"
    assert (
        config(stop_when=("length > 9",), concurrency=2, save_every=7).identity({"prompts_digest": "d"})
        == one
    )
    assert config(length_penalty="fixed").identity({"prompts_digest": "d"}) != one

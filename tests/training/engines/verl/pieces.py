"""Rows as verl has them, a meta-judge that reads for the tide, and the reward called as verl 0.9 calls it."""

import re
from collections.abc import Mapping
from typing import Any

from tests.training.reward_pieces import make_pair

from ralign.judging import judge_prompt
from ralign.models.testing.answers import ChatRequest
from ralign.records import Order, PreferencePair
from ralign.training.engines.verl.data import judge_row
from ralign.training.engines.verl.reward import compute_score
from ralign.training.examples import Example, judge_example

KEYS = {"score", "acc", "aligned", "asked", "parsed", "judge_ok"}

ALIGNED = "The tide is named.\n\n\\boxed{A}"
SPURIOUS = "It is longer.\n\n\\boxed{A}"
WRONG = "The tide is named.\n\n\\boxed{B}"
NO_VERDICT = "The tide, I think."

_RATIONALE = re.compile(r"<judge_rationale (\w+)>\n(.*?)\n</judge_rationale \1>", re.DOTALL)


def example(pair: PreferencePair | None = None, order: Order = "ab") -> Example:
    made = judge_example(judge_prompt(), imitate=False, needs_gold=False)(pair or make_pair(), order)
    assert isinstance(made, Example)
    return made


def meta_answer(request: ChatRequest) -> str:
    """What the meta-judge behind a `ChatServer` says: aligned is who speaks of the tide."""
    found = _RATIONALE.search(request.prompt)
    assert found is not None
    aligned = "tide" in found[2].lower()
    point = f"POINT: the tide | STATED: {'yes' if aligned else 'no'}"
    return f"{point}\nVERDICT: {'Correct' if aligned else 'Incorrect'}"


async def as_verl_calls(
    text: str, reward_kwargs: Mapping[str, Any], row: Mapping[str, Any] | None = None, **more: Any
) -> Mapping[str, float]:
    """`NaiveRewardManager.run_single` over `get_custom_reward_fn` of verl 0.9.1, which adds to `extra_info`."""
    row = row or judge_row(example(), 0)
    extra_info = {**row["extra_info"], "num_turns": 2, "rollout_reward_scores": {}}
    call = {
        "data_source": row["data_source"],
        "solution_str": text,
        "ground_truth": row["reward_model"]["ground_truth"],
        "extra_info": extra_info,
        **more,
    }
    return await compute_score(**{**call, **reward_kwargs})

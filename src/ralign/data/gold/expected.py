"""What a gold run will take before it is started: calls, tokens, money. No call is made.

Nobody knows how often a draft will be drawn again. Both ends are given: every owed draft taken at once, and every
pair using up its draws.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ralign.data.gold.judgment_log import JudgmentLog
from ralign.data.gold.plan import Plan
from ralign.data.gold.review import review
from ralign.data.gold.writer import check_prompt_values, gold_prompt_values
from ralign.judging import Prompt
from ralign.models.price import CHARACTERS_PER_TOKEN, Expected, Price
from ralign.records import PreferencePair, Usage


class Range(NamedTuple):
    """What one stage takes at least and at most."""

    least: Expected
    most: Expected


def expect(
    plan: Plan,
    drafts: JudgmentLog,
    checks: JudgmentLog | None,
    prompts: Mapping[str, Prompt],
    prices: Mapping[str, Price],
    *,
    completion_tokens: int,
) -> dict[str, Range]:
    """What each stage that makes calls still takes.

    Args:
        plan: the pairs, and how often a draft is drawn.
        drafts: what is recorded already; it is not owed again.
        checks: likewise; None where there is no check judge.
        prompts: by stage, `judge` and `check_judge`.
        prices: by stage.
        completion_tokens: what an answer is expected to have, thinking included.
    """
    calls = {stage: [0, 0] for stage in prompts}
    characters = {stage: [0, 0] for stage in prompts}
    for row, pair in enumerate(plan.pairs()):
        if not plan.wants(pair):
            continue
        checked = None if checks is None else checks.recorded(row)
        stands = review(pair, list(drafts.recorded(row).values()), checked, draws_limit=plan.draws_limit)
        if stands.owed is None:
            continue
        left = plan.draws_limit - stands.owed.draw
        unwritten = int(stands.owed.call == "draft")
        owed = {"judge": (unwritten, left - 1 + unwritten), "check_judge": (1, left)}
        for stage, prompt in prompts.items():
            length = _characters(stage, prompt, pair, completion_tokens)
            for end in (0, 1):
                calls[stage][end] += owed[stage][end]
                characters[stage][end] += owed[stage][end] * length
    ends = {
        stage: [
            Expected(
                calls=calls[stage][end],
                usage=Usage(
                    prompt_tokens=characters[stage][end] // CHARACTERS_PER_TOKEN,
                    completion_tokens=calls[stage][end] * completion_tokens,
                ),
                price=prices.get(stage),
            )
            for end in (0, 1)
        ]
        for stage in prompts
    }
    return {stage: Range(*both) for stage, both in ends.items()}


def _characters(stage: str, prompt: Prompt, pair: PreferencePair, completion_tokens: int) -> int:
    if stage == "judge":
        values = gold_prompt_values(pair)
    else:
        values = check_prompt_values(pair, "x" * (CHARACTERS_PER_TOKEN * completion_tokens))
    return sum(len(message.content) for message in prompt.render(pair.conversation, values))

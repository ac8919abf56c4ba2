"""What a run will take before it is started: calls, tokens, money. No call is made.

Comes in: the plan, the prompts, what is recorded already. Goes out: the calls still owed and the tokens they are
expected to have. Nobody can know these exactly: a prompt is counted at four characters a token, an answer at the
length the user expects, and every owed judgment is taken to be right, so that the meta-judge's calls are a ceiling.
"""

from collections.abc import Mapping

from ralign.evals.bench.run import Plan
from ralign.evals.bench.tally import Tally
from ralign.judging import Prompt, shown_responses
from ralign.metajudging import meta_prompt_values
from ralign.models.price import CHARACTERS_PER_TOKEN, Expected, Price
from ralign.records import Judgment, Message, PreferencePair, Usage


def expect(
    plan: Plan,
    tally: Tally,
    prompts: Mapping[str, Prompt],
    prices: Mapping[str, Price],
    *,
    completion_tokens: int,
) -> dict[str, Expected]:
    """What each stage that makes calls still takes.

    Args:
        plan: what is measured.
        tally: what is recorded already; it is not owed again.
        prompts: by stage, `judge` and `meta_judge`; a stage without one makes no calls.
        prices: by stage.
        completion_tokens: what an answer is expected to have, thinking included.
    """
    calls = dict.fromkeys(prompts, 0)
    characters = dict.fromkeys(prompts, 0)
    for row, pair in enumerate(plan.pairs()):
        for order, shown in enumerate(tally.orders):
            for draw in range(tally.draws):
                owed = tally.owes_judgment(row, order, draw)
                votes = (
                    tally.votes if owed and pair.gold_rationale else len(tally.owed_votes(row, order, draw))
                )
                judgment = Judgment(
                    pair_id=pair.id, order=shown, rationale="x" * (CHARACTERS_PER_TOKEN * completion_tokens)
                )
                for stage, times in (("judge", int(owed)), ("meta_judge", votes)):
                    if stage in prompts and times:
                        calls[stage] += times
                        characters[stage] += times * _characters(prompts[stage], pair, judgment, stage)
    return {
        stage: Expected(
            calls=calls[stage],
            usage=Usage(
                prompt_tokens=characters[stage] // CHARACTERS_PER_TOKEN,
                completion_tokens=calls[stage] * completion_tokens,
            ),
            price=prices.get(stage),
        )
        for stage in prompts
    }


def _characters(prompt: Prompt, pair: PreferencePair, judgment: Judgment, stage: str) -> int:
    if stage == "judge":
        first, second = shown_responses(pair, judgment.order)
        values = {"response_a": first, "response_b": second}
    else:
        values = meta_prompt_values(prompt, pair, judgment)
    messages: tuple[Message, ...] = prompt.render(pair.conversation, values)
    return sum(len(message.content) for message in messages)

"""Comparisons of a policy's answers by a judge: answers in, one `Grade` each out (the paper's section 4, RLHF).

    ReferenceComparison   the prompt's reference answer: +1 won, 0 the orders differ, -1 lost
    GroupComparison       the other answers of its group: twice its win rate, less 1

An answer that never ended is not shown to a judge. In a group it loses against every answer that did, without a call.
Two answers of the same words draw, without a call.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from ralign.judging import Judge
from ralign.records import Judgment, Order, PreferencePair, Verdict
from ralign.rewards.policy import Comparison, Side, mean_outcome, orders_shown, round_robin, win_rates
from ralign.training.reward.batched_calls import BatchedCalls
from ralign.training.reward.outage import Guard, problem_of
from ralign.training.reward.scored import Grade, PolicyAnswer

BENCHMARK: Final = "policy"
"""Benchmark of these judgments; it enters the calls' seeds."""


class AnswerGrader(Protocol):
    """Anything that grades a batch of answers by a judge."""

    async def grade(self, answers: Sequence[PolicyAnswer]) -> list[Grade]:
        """One grade an answer, in their order.

        Raises:
            EndpointRefused: no call can succeed.
            MetaJudgeDown: the judge is down, and training is not to wait any longer.
        """
        ...


class Question(NamedTuple):
    """One call of a judge; equal ones have one answer."""

    prompt_id: str
    response_a: str
    response_b: str
    order: Order


class _Shown(NamedTuple):
    """Content of a question."""

    pair: PreferencePair
    order: Order


class PairJudge:
    """A judge that is asked about pairs, all of a batch at once."""

    def __init__(
        self,
        judge: Judge,
        guard: Guard,
        *,
        concurrency: int,
        deadline: float,
        side: Side = "both",
        seed: int = 0,
    ) -> None:
        self._side: Side = side
        self._seed = seed
        self._calls = BatchedCalls[Question, _Shown, Judgment](
            lambda shown: judge.judge(shown.pair, shown.order, 0),
            lambda shown, why: Judgment(
                pair_id=shown.pair.id, benchmark=BENCHMARK, order=shown.order, failure="call", detail=why
            ),
            # A judge whose answer holds no verdict has answered, and waiting would not change what it says.
            lambda judgment: problem_of(judgment) if judgment.failure == "call" else None,
            guard,
            concurrency=concurrency,
            deadline=deadline,
        )

    async def judgments(self, pairs: Sequence[PreferencePair]) -> list[dict[Order, Judgment]]:
        """For each pair, the judgment in each of its orders."""
        async with self._calls.batch() as batch:
            asked: list[dict[Order, Question]] = []
            for pair in pairs:
                orders = orders_shown(self._side, pair.id, seed=self._seed)
                asked.append(
                    {order: Question(pair.id, pair.response_a, pair.response_b, order) for order in orders}
                )
                for order, question in asked[-1].items():
                    batch.ask(question, _Shown(pair, order))
            await batch.finish()
        return [
            {order: batch.answers[question] for order, question in questions.items()} for questions in asked
        ]


class ReferenceComparison:
    """Compares every answer with its prompt's reference answer."""

    def __init__(self, judge: PairJudge) -> None:
        self._judge = judge

    async def grade(self, answers: Sequence[PolicyAnswer]) -> list[Grade]:
        """+1, 0 or -1 each; see `AnswerGrader`."""
        grades = [Grade()] * len(answers)
        ended = [place for place, answer in enumerate(answers) if answer.ended]
        pairs = [replace(answers[place].completion.pair, response_a=answers[place].text) for place in ended]
        for place, judgments in zip(ended, await self._judge.judgments(pairs), strict=True):
            verdicts: dict[Order, Verdict | None] = {
                order: judgment.verdict for order, judgment in judgments.items()
            }
            grades[place] = Grade(
                mean_outcome(list(verdicts.values())), verdicts, _problem(list(judgments.values()))
            )
        return grades


class GroupComparison:
    """Compares the answers of each group with each other."""

    def __init__(self, judge: PairJudge, *, group_size: int, neighbors: int | None = None) -> None:
        self._judge = judge
        self._group_size = group_size
        self._comparisons = round_robin(group_size, neighbours=neighbors)

    async def grade(self, answers: Sequence[PolicyAnswer]) -> list[Grade]:
        """From -1 (lost against all) to 1 (won against all) each; see `AnswerGrader`.

        The answers of a group stand together; their number is a multiple of the group's size.
        """
        size = self._group_size
        groups = [answers[start : start + size] for start in range(0, len(answers), size)]
        decided: list[dict[Comparison, float | None]] = [{} for _ in groups]
        owed: list[tuple[int, Comparison]] = []
        pairs: list[PreferencePair] = []
        for number, group in enumerate(groups):
            for comparison in self._comparisons:
                a, b = group[comparison.a], group[comparison.b]
                if a.ended != b.ended:
                    decided[number][comparison] = 1.0 if a.ended else -1.0
                elif a.ended and a.text == b.text:
                    decided[number][comparison] = 0.0
                # Then both have: of two that never end, neither wins.
                elif a.ended:
                    owed.append((number, comparison))
                    pairs.append(replace(a.completion.pair, response_a=a.text, response_b=b.text))
        problems: list[list[str]] = [[] for _ in groups]
        for (number, comparison), judgments in zip(owed, await self._judge.judgments(pairs), strict=True):
            decided[number][comparison] = mean_outcome([each.verdict for each in judgments.values()])
            if (problem := _problem(list(judgments.values()))) is not None:
                problems[number].append(problem)
        grades: list[Grade] = []
        for number, group in enumerate(groups):
            rates = win_rates(size, decided[number])
            problem = problems[number][0] if problems[number] else None
            grades.extend(
                Grade(None if rate is None or not one.ended else 2 * rate - 1, {}, problem)
                for rate, one in zip(rates, group, strict=True)
            )
        return grades


def _problem(judgments: Sequence[Judgment]) -> str | None:
    """Why a verdict is missing; None where none is."""
    missing = [each for each in judgments if each.verdict is None]
    return problem_of(missing[0]) if missing else None

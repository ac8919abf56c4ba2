"""A meta-judge: a pair with its gold rationale and a judgment in, a meta-judgment out."""

from typing import Protocol

from ralign.records import Judgment, MetaJudgment, PreferencePair


class MetaJudge(Protocol):
    """Anything that compares a rationale with the gold rationale."""

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        """Say whether the judgment rests on the gold rationale's decisive points. A failure is in the result.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...

"""A judge: a preference pair in, a judgment out."""

from typing import Protocol

from ralign.records import Judgment, Order, PreferencePair


class Judge(Protocol):
    """Anything that judges a pair: a chat model with a prompt, recorded judgments, the micro world's model."""

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Judge the pair in the given order. A failure is in the judgment, not raised.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...

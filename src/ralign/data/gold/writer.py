"""The two models of a gold run: one that writes a draft, one that tests where its reasons lead.

Comes in: a pair, and for the test a draft. Goes out: a `Judgment` of the pair in order `ab`, whose `draw` is the
draft's number. The paper (section 2) has gold rationales written by a strong model that is shown the label and, for
HelpSteer3, the human comments; its wording is not published, and the test by a second judge is ours.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ralign.data.gold.comments import human_comments
from ralign.judging import Prompt, PromptKind, ask_for_judgment, call_seed
from ralign.models import ChatModel, Sampling
from ralign.records import Judgment, PreferencePair

GOLD_PROMPT = PromptKind(
    name="gold prompt",
    texts=frozenset({"response_a", "response_b", "comments"}),
    facts=frozenset({"label"}),
    required=("conversation", "response_a", "response_b", "label"),
    default=Path(__file__).with_name("gold_prompt.txt"),
)
"""`{label}` is `A` or `B`, `{comments}` what people said about the pair, empty where they said nothing."""

CHECK_PROMPT = PromptKind(
    name="check prompt",
    texts=frozenset({"response_a", "response_b", "rationale"}),
    required=("conversation", "response_a", "response_b", "rationale"),
    changing=frozenset({"rationale"}),
    default=Path(__file__).with_name("check_prompt.txt"),
)
"""`{rationale}` is the draft without its verdict."""


class Writer(Protocol):
    """Anything that writes a draft of a gold rationale."""

    async def draft(self, pair: PreferencePair, draw: int) -> Judgment:
        """Write a draft. A failure is in the judgment, not raised.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...


class Checker(Protocol):
    """Anything that says where a draft's reasons lead."""

    async def check(self, pair: PreferencePair, draft: Judgment) -> Judgment:
        """Test a draft without knowing the label. A failure is in the judgment, not raised.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatWriter:
    """A chat model that is shown the label and the comments."""

    model: ChatModel
    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the pair and the draw."""

    async def draft(self, pair: PreferencePair, draw: int) -> Judgment:
        """Ask the model once.

        Raises:
            EndpointRefused: no call can succeed.
        """
        return await ask_for_judgment(
            self.model,
            self.prompt.render(pair.conversation, gold_prompt_values(pair)),
            self.sampling,
            seed=call_seed(self.seed, "gold", pair.benchmark, pair.id, draw),
            pair=pair,
            order="ab",
            draw=draw,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatChecker:
    """A chat model that is shown the draft's rationale, and neither the label nor the draft's verdict."""

    model: ChatModel
    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the pair and the draw."""

    async def check(self, pair: PreferencePair, draft: Judgment) -> Judgment:
        """Ask the model once.

        Raises:
            EndpointRefused: no call can succeed.
        """
        return await ask_for_judgment(
            self.model,
            self.prompt.render(pair.conversation, check_prompt_values(pair, draft.rationale)),
            self.sampling,
            seed=call_seed(self.seed, "gold-check", pair.benchmark, pair.id, draft.draw),
            pair=pair,
            order="ab",
            draw=draft.draw,
        )


def gold_prompt_values(pair: PreferencePair) -> dict[str, str]:
    """The value of every placeholder of a gold prompt but `conversation` and `nonce`."""
    return {
        "response_a": pair.response_a,
        "response_b": pair.response_b,
        "label": pair.label,
        "comments": human_comments(pair),
    }


def check_prompt_values(pair: PreferencePair, rationale: str) -> dict[str, str]:
    """The value of every placeholder of a check prompt but `conversation` and `nonce`."""
    return {"response_a": pair.response_a, "response_b": pair.response_b, "rationale": rationale}

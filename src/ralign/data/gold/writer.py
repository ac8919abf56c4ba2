"""The two models of a gold run: one that writes a draft, one that tests where its reasons lead. Pure.

Comes in: a pair, and for the test a draft. Goes out: a `Judgment` of the pair in order `ab`, whose `draw` is the
draft's number. The paper (section 2) has gold rationales written by a strong model that is shown the label and, for
HelpSteer3, the human comments; its wording is not published, and the test by a second judge is ours.
"""

from dataclasses import dataclass
from pathlib import Path

from ralign.data.gold.comments import human_comments
from ralign.errors import CallFailed
from ralign.judging import Prompt, PromptKind, call_seed, read_judgment
from ralign.models.model import Reply, Request, Sampling
from ralign.records import Judgment, PreferencePair

WRITER_PROMPT = PromptKind(
    name="writer prompt",
    texts=frozenset({"response_a", "response_b", "comments"}),
    facts=frozenset({"label"}),
    required=("conversation", "response_a", "response_b", "label"),
    default=Path(__file__).with_name("writer_prompt.txt"),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterCalls:
    """The calls of the writer, who is shown the label and people's comments."""

    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the pair and the draw."""

    def request(self, pair: PreferencePair, draw: int) -> Request:
        """The messages of one draft."""
        values = {
            "response_a": pair.response_a,
            "response_b": pair.response_b,
            "label": pair.label or "",
            "comments": human_comments(pair),
        }
        return Request(
            self.prompt.render(pair.conversation, values),
            self.sampling,
            call_seed(self.seed, "gold", pair.benchmark, pair.id, draw),
        )

    def read(self, answer: Reply | CallFailed, pair: PreferencePair, draw: int) -> Judgment:
        """The draft in a reply; see `read_judgment`."""
        return read_judgment(answer, pair=pair, order="ab", draw=draw)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCalls:
    """The calls of the judge that tests a draft."""

    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the pair and the draw."""

    def request(self, pair: PreferencePair, draft: Judgment) -> Request:
        """The messages of one test."""
        # Neither the label nor the comments, and of the draft not its verdict: a judge that knows where the reasons
        # are to lead finds that they do.
        values = {
            "response_a": pair.response_a,
            "response_b": pair.response_b,
            "rationale": draft.rationale,
        }
        return Request(
            self.prompt.render(pair.conversation, values),
            self.sampling,
            call_seed(self.seed, "gold-check", pair.benchmark, pair.id, draft.draw),
        )

    def read(self, answer: Reply | CallFailed, pair: PreferencePair, draft: Judgment) -> Judgment:
        """The verdict that the reasons lead to; none where they lead nowhere (`\\boxed{neither}`)."""
        return read_judgment(answer, pair=pair, order="ab", draw=draft.draw)

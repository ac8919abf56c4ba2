"""Pairs about gardens, and models that say what a test wants of each pair's drafts."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ralign.models import Reply
from ralign.models.testing.answers import ChatRequest
from ralign.records import Judgment, Message, PreferencePair, Verdict


def make_pair(name: str, label: Verdict = "A", **fields: object) -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"When do I prune the {name}?"),),
        response_a="In late winter, before the buds open.",
        response_b="Whenever you like.",
        label=label,
        benchmark="gardens",
        source={"benchmark": "gardens"},
        **fields,
    )


GOOD = "Answer {label} says what can be done and when.\n\n\\boxed{{{label}}}"
OTHER = "Answer {other} is freer, and a gardener likes that.\n\n\\boxed{{{other}}}"
LEAK = "I was told that answer {label} is better, and it names a season.\n\n\\boxed{{{label}}}"
BARE = "\\boxed{{{label}}}"
NO_VERDICT = "Both have their points."
CUT_OFF = "cut off"


class Models:
    """A writer and a judge behind one server: a script of drafts for each pair; the last one repeats."""

    def __init__(
        self,
        drafts: Mapping[str, Sequence[str]] | None = None,
        *,
        checks: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.drafts = drafts or {}
        self.checks = checks or {}
        self.asked: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By (stage, pair id): how often."""

    def __call__(self, request: ChatRequest) -> str | Reply:
        stage = "check" if "The rationale:" in request.prompt else "draft"
        found = re.search(r"When do I prune the (\S+)\?", request.prompt)
        assert found is not None
        pair_id = found[1]
        script = (self.checks if stage == "check" else self.drafts).get(pair_id, [GOOD])
        said = script[min(self.asked[stage, pair_id], len(script) - 1)]
        self.asked[stage, pair_id] += 1
        if stage == "check":
            # The judge is not told; the pairs' label is in what the rationale says first.
            led = re.search(r"Answer ([AB]) ", request.prompt.rpartition("The rationale:")[2])
            label = led[1] if led else "A"
        else:
            told = re.search(r"The answer that was found better: ([AB])", request.prompt)
            assert told is not None
            label = told[1]
        text = said.format(label=label, other="B" if label == "A" else "A")
        return (
            Reply(text="It all goes to show", finish_reason="length") if said == CUT_OFF else Reply(text=text)
        )


def a_draft(
    pair: PreferencePair, text: str, verdict: Verdict | None, draw: int = 0, **fields: object
) -> Judgment:
    return Judgment(
        pair_id=pair.id,
        benchmark=pair.benchmark,
        draw=draw,
        text=text,
        rationale=text,
        verdict=verdict,
        failure=None if verdict else "parse",
        **fields,
    )

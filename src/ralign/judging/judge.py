"""A judge: a preference pair in, a judgment out (the paper's (o, l-hat), section 2).

Where we differ from the authors' scripts: either order can be shown, the seed is set for every call, an
answer that the token limit cut off gives no verdict, and a failure is recorded as one rather than counted as
wrong.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ralign.errors import CallFailed, InputError
from ralign.judging.parse import parse_verdict
from ralign.judging.prompt import Prompt, PromptKind
from ralign.judging.verdicts import BOXED, VerdictFormat
from ralign.models.calls import ask
from ralign.models.model import ChatModel, Reply, Request, Sampling
from ralign.models.python import PythonFunction
from ralign.records import VERDICTS, Judgment, Order, PreferencePair, Verdict, opposite

JUDGE_PROMPT = PromptKind(
    name="judge prompt",
    texts=frozenset({"response_a", "response_b"}),
    required=("conversation", "response_a", "response_b"),
    default=Path(__file__).with_name("judge_prompt.txt"),
)
"""`{response_a}` is the answer shown first, which the judge is to call A, whatever the pairs file calls
it. `{verdict_request}` and `{verdict_reminder}` are the sentences that ask for the verdict in the run's format."""


def judge_prompt(path: Path | None = None, written_in: VerdictFormat = BOXED) -> Prompt:
    """The judge prompt in a file, None being ours, with the sentences that ask for verdicts of this format.

    Raises:
        InputError: the prompt cannot be used, or is to ask for what matches a regular expression.
    """
    if path is None and not written_in.ask:
        raise InputError(
            f"--verdict is {written_in.name!r}, and no prompt of ours can ask for it: give --judge-prompt FILE"
        )
    fixed = {"verdict_request": written_in.ask, "verdict_reminder": written_in.remind}
    return Prompt.load(path, JUDGE_PROMPT, fixed=fixed)


class Judge(Protocol):
    """Anything that judges a pair: a chat model with a prompt, recorded judgments, a trained model."""

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Judge the pair in the given order. A failure is in the judgment, not raised.

        Raises:
            EndpointRefused: no call can succeed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCalls:
    """The calls of a judge that is a chat model: what is sent, and how the reply is read. Pure."""

    RECORDS: ClassVar = (Judgment,)

    prompt: Prompt
    sampling: Sampling
    seed: int = 0
    """The run's; every call's own follows from it and from the pair, the order and the draw."""
    written_in: VerdictFormat = BOXED
    """Where its verdicts are found."""

    def request(self, pair: PreferencePair, order: Order, draw: int) -> Request:
        """The messages of one judgment."""
        first, second = shown_responses(pair, order)
        return Request(
            self.prompt.render(pair.conversation, {"response_a": first, "response_b": second}),
            self.sampling,
            call_seed(self.seed, "judge", pair.benchmark, pair.id, order, draw),
        )

    def read(
        self, answer: Reply | CallFailed | Judgment, pair: PreferencePair, order: Order, draw: int
    ) -> Judgment:
        """The judgment in a reply; see `read_judgment`. One that a Python function made keeps what it says."""
        if isinstance(answer, Judgment):
            about = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": order, "draw": draw}
            if answer.verdict in VERDICTS or answer.failure is not None:
                return replace(answer, **about)
            problem = f"no verdict, but {answer.verdict!r}" if answer.verdict else "no verdict"
            return replace(
                answer, **about, verdict=None, failure="parse", failure_reason="no_verdict", detail=problem
            )
        return read_judgment(answer, pair=pair, order=order, draw=draw, written_in=self.written_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatJudge(JudgeCalls):
    """A chat model that is asked with a prompt, or a Python function that needs none."""

    model: ChatModel | PythonFunction

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        """Ask the model once. An outage is a judgment with `failure="call"`, an unreadable answer `"parse"`.

        Raises:
            EndpointRefused: no call can succeed.
        """
        return await ask(self.model, self, pair, order, draw)


def read_judgment(
    answer: Reply | CallFailed,
    *,
    pair: PreferencePair,
    order: Order,
    draw: int = 0,
    written_in: VerdictFormat = BOXED,
) -> Judgment:
    """The judgment that a reply about a pair in this order holds. Pure.

    `failure="call"` where there was no reply, `"parse"` where it gives no verdict.
    """
    about: dict[str, Any] = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": order, "draw": draw}
    if isinstance(answer, CallFailed):
        return Judgment(**about, failure="call", failure_reason=answer.reason, detail=str(answer))
    rationale, verdict, problem, reason, much = parse_verdict(answer.text, answer.finish_reason, written_in)
    return Judgment(
        **about,
        text=answer.text,
        thinking=answer.thinking,
        rationale=rationale,
        verdict=in_pair_letters(verdict, order) if verdict else None,
        much=much or None,
        failure="parse" if problem else None,
        failure_reason=reason,
        detail=problem,
        model=answer.model,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
    )


def call_seed(*key: str | int) -> int:
    """Derive a seed in [0, 2**31) from all that names a call: the run's seed, the pair, the order, ...

    One seed a call, so that a rerun asks for the same draw again and every draw asks for another.
    """
    # Not `hash`, which differs from process to process: a run that is resumed must ask for the same draws.
    digest = blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=4).digest()
    # 31 bits: every engine takes them, and some read the seed as a signed integer.
    return int.from_bytes(digest, "big") >> 1


def shown_responses(pair: PreferencePair, order: Order) -> tuple[str, str]:
    """Give the two answers in the order a judge is shown them."""
    if order == "ab":
        return pair.response_a, pair.response_b
    return pair.response_b, pair.response_a


def in_pair_letters(verdict: Verdict, order: Order) -> Verdict:
    """Turn a verdict in the letters shown into the letters of the pairs file. Its own inverse."""
    return verdict if order == "ab" else opposite(verdict)

"""Judges that need no model, and a service around them on a free port of loopback."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import uvicorn

from ralign.judging import ChatJudge, Judge, judge_prompt
from ralign.metajudging import MetaJudge
from ralign.models import ScriptedModel
from ralign.models.model import Sampling
from ralign.records import Failure, Judgment, MetaJudgment, Order, PreferencePair, Verdict
from ralign.runs.options import AnswerRewardOptions, JudgeOptions
from ralign.serving.app import create_app
from ralign.serving.config import ServeConfig

TURN = {"role": "user", "content": "When is high water?"}


def reward_request(answer: str = "good", **fields: object) -> dict[str, object]:
    return {"conversation": [TURN], "answer": answer, "reference_answer": "fair", **fields}


def by_words(pair: PreferencePair, order: Order) -> Verdict | Failure:
    """`good` beats everything, `bad` loses; `left` follows the position; `mute` and `lost` fail."""
    for word, answer in ((pair.response_a, "A"), (pair.response_b, "B")):
        if "good" in word:
            return "A" if answer == "A" else "B"
        if "bad" in word:
            return "B" if answer == "A" else "A"
        if "left" in word:
            return "A" if order == "ab" else "B"
        if "mute" in word:
            return "parse"
        if "lost" in word:
            return "call"
    return "B"


class WordJudge:
    """Judges by the words in the answers, after `latency` seconds."""

    def __init__(
        self,
        says: Callable[[PreferencePair, Order], Verdict | Failure] = by_words,
        *,
        latency: float = 0.0,
        raises: Exception | None = None,
    ) -> None:
        self.latency = latency
        self.raises = raises
        self.asked: Counter[tuple[str, str, Order]] = Counter()
        self.pairs: list[PreferencePair] = []
        self.cancelled = 0
        self._says = says

    async def judge(self, pair: PreferencePair, order: Order, draw: int) -> Judgment:
        self.asked[pair.id, pair.response_a, order] += 1
        self.pairs.append(pair)
        try:
            await asyncio.sleep(self.latency)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.raises is not None:
            raise self.raises
        said = self._says(pair, order)
        about = {"pair_id": pair.id, "benchmark": pair.benchmark, "order": order, "draw": draw}
        if said in ("call", "parse"):
            return Judgment(**about, failure=said, detail="no answer in time" if said == "call" else "no box")
        return Judgment(**about, text=f"\\boxed{{{said}}}", rationale="The hour decides.", verdict=said)


class WordMetaJudge:
    """Aligned where the gold rationale speaks of the hour; fails where it speaks of nothing."""

    async def meta_judge(self, pair: PreferencePair, judgment: Judgment, vote: int) -> MetaJudgment:
        gold = pair.gold_rationale or ""
        about = {"pair_id": pair.id, "order": judgment.order, "draw": judgment.draw, "vote": vote}
        if "nothing" in gold:
            return MetaJudgment(**about, failure="parse", detail="no verdict")
        return MetaJudgment(**about, aligned="hour" in gold)


def scripted_judge(model: ScriptedModel) -> ChatJudge:
    """The judge a user has, with a model that says what it is told."""
    return ChatJudge(model=model, prompt=judge_prompt(), sampling=Sampling())


@asynccontextmanager
async def service(
    judge: Judge, meta_judge: MetaJudge | None = None, *, token: str | None = None, **config: Any
) -> AsyncGenerator[str]:
    """A real uvicorn in a thread of its own; the address. Ended when left."""
    own = config.keys() & {field.name for field in fields(AnswerRewardOptions)}
    reward = AnswerRewardOptions(**{name: config.pop(name) for name in own})
    served = ServeConfig(judge=JudgeOptions(judge="words"), answer_reward=reward, **config)
    app = create_app(served, judge, meta_judge, token=token)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)
        listening.close()

"""OpenRLHF's format, and its own client where its package is at hand."""

import asyncio
import importlib.util
import json
import logging
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import aiohttp
import pytest
from tests.serving.judges import TURN, WordJudge, service

from ralign.errors import EndpointRefused
from ralign.serving.openrlhf import Unusable, answer_of, to_request, to_response
from ralign.serving.schemas import RewardResponse

PROMPT = "<|im_start|>user\nWhen is high water?<|im_end|>\n<|im_start|>assistant\n"


def label(**fields: object) -> str:
    return json.dumps({"reference_answer": "fair", **fields})


@pytest.mark.parametrize(
    ("query", "prompt", "answer"),
    [
        (f"{PROMPT}At six.<|im_end|>", PROMPT, "At six."),
        (f"<s>{PROMPT}At six.</s>", PROMPT, "At six."),
        (f"{PROMPT}At six.<|im_end|>\n<|endoftext|>", PROMPT, "At six."),
        (f"{PROMPT}At six.<|eot_id|>", PROMPT, "At six."),
        (f"{PROMPT}At six.<｜end▁of▁sentence｜>", PROMPT, "At six."),
        (f"{PROMPT}Write <|im_end|> to stop.", PROMPT, "Write <|im_end|> to stop."),
        (PROMPT, PROMPT, ""),
        (("x" * 500 + PROMPT)[-200:] + "At six.", "x" * 500 + PROMPT, "At six."),
        ("At six.", PROMPT, None),
        ("At six.", "", None),
    ],
)
def test_the_answer_is_parted_from_its_prompt(query: str, prompt: str, answer: str | None) -> None:
    assert answer_of(query, prompt) == answer


def test_the_label_carries_what_the_client_does_not_send() -> None:
    side = label(id=7, conversation=[TURN], finish_reason="length")
    for given in (side, json.loads(side)):
        request = to_request(f"{PROMPT}At six.", PROMPT, given)
        assert not isinstance(request, Unusable)
        assert (request.id, request.answer, request.reference_answer) == ("7", "At six.", "fair")
        assert request.finish_reason == "length"
        assert [(turn.role, turn.content) for turn in request.conversation] == [("user", TURN["content"])]


def test_without_a_conversation_the_judge_sees_the_prompt() -> None:
    request = to_request(f"{PROMPT}At six.", PROMPT, label())
    assert not isinstance(request, Unusable)
    assert [(turn.role, turn.content) for turn in request.conversation] == [("user", PROMPT)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "the label is not a JSON object"),
        ("42", "the label is not a JSON object"),
        ("forty-two", "the label is not JSON"),
        ("[" * 100_000, "the label is not JSON"),
        ("{}", "the label has no reference_answer"),
        (label(conversation="hello"), "the label cannot be used: conversation"),
        (label(conversation=[{"role": "user"}]), "the label cannot be used: conversation.0.content"),
    ],
)
def test_a_label_that_cannot_be_used_says_why(given: str | None, reason: str) -> None:
    request = to_request(f"{PROMPT}At six.", PROMPT, given)
    assert isinstance(request, Unusable)
    assert request.reason.startswith(reason)


def test_numbers_by_hand() -> None:
    response = to_response(
        [
            RewardResponse(
                id="1", reward=0.9, score=1.0, length_penalty=0.1, verdicts={"ab": "A", "ba": "A"}
            ),
            RewardResponse(id="2", reward=0.0, score=0.0, verdicts={"ab": "A", "ba": "B"}),
            RewardResponse(id="3", reward=None, verdicts={"ab": "A", "ba": None}),
            Unusable("the label is not JSON"),
        ]
    )
    assert response.rewards == (0.9, 0.0, 0.0, 0.0)
    assert response.scores == (1.0, 0.5, 0.5, 0.5)
    assert response.extra_logs == {
        "judge_ok": 0.5,
        "length_penalty": 0.025,
        "format_penalty": 0.0,
        "order_disagreement": 0.25,
    }
    assert to_response([]).extra_logs.keys() == response.extra_logs.keys()


async def test_every_answer_is_a_number_whatever_goes_wrong(http: aiohttp.ClientSession) -> None:
    judge = WordJudge()
    async with service(judge, deadline=0.3) as url:

        async def ask(query: list[str], prompts: list[str], labels: list[object]) -> dict:
            body = {"query": query, "prompts": prompts, "labels": labels}
            async with http.post(f"{url}/get_reward", json=body) as response:
                assert response.status == 200
                return await response.json()

        queries = [f"{PROMPT}{answer}" for answer in ("good", "bad", "left", "mute")]
        body = await ask(queries, [PROMPT] * 4, [label()] * 4)
        assert body["rewards"] == [1.0, -1.0, 0.0, 0.0]
        assert body["scores"] == [1.0, 0.0, 0.5, 0.5]
        assert body["extra_logs"]["judge_ok"] == 0.75
        for queries, prompts, labels in (
            (["x"], [], []),
            (["x"], ["x"], [None]),
            (["x"], ["y"], [label()]),
            ([], [], []),
        ):
            body = await ask(queries, prompts, labels)
            assert body["rewards"] == [0.0] * len(queries)
            assert body["extra_logs"]["judge_ok"] == 0.0
        judge.raises = EndpointRefused("no key")
        assert (await ask([f"{PROMPT}good"], [PROMPT], [label()]))["extra_logs"]["judge_ok"] == 0.0
        judge.raises, judge.latency = None, 30.0
        assert (await ask([f"{PROMPT}good"], [PROMPT], [label()]))["extra_logs"]["judge_ok"] == 0.0
        assert judge.cancelled == 2


def openrlhf_agent(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`openrlhf/utils/agent.py` as released, loaded alone: the package's own __init__ wants a GPU stack."""
    folder = os.environ.get("RALIGN_OPENRLHF")
    if folder is None:
        spec = importlib.util.find_spec("openrlhf")
        if spec is None or not spec.submodule_search_locations:
            pytest.skip("openrlhf is not here: make test-openrlhf fetches its package and runs this")
        folder = spec.submodule_search_locations[0]
    file = Path(folder) / "utils" / "agent.py"
    assert file.is_file(), f"{file} is not there: is RALIGN_OPENRLHF the folder of the package?"
    logging_utils = SimpleNamespace(init_logger=logging.getLogger)
    monkeypatch.setitem(sys.modules, "openrlhf.utils.logging_utils", logging_utils)
    loading = importlib.util.spec_from_file_location("openrlhf_agent", file)
    assert loading is not None
    assert loading.loader is not None
    agent = importlib.util.module_from_spec(loading)
    loading.loader.exec_module(agent)
    return agent


class LetterTokenizer:
    """One token a letter."""

    def __call__(self, text: str, **_: object) -> dict[str, list[object]]:
        return {"input_ids": [SimpleNamespace(tolist=lambda: [ord(letter) for letter in text])]}

    def decode(self, ids: list[int], **_: object) -> str:
        return "".join(map(chr, ids))


class WritingEngine:
    """Generates what it is told."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def generate(self, token_ids: list[int], params: object, **_: object) -> SimpleNamespace:
        output = SimpleNamespace(
            token_ids=[ord(letter) for letter in self.text], finish_reason="stop", logprobs=None
        )
        return SimpleNamespace(outputs=[output])


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.parametrize("token", [None, "open-sesame"])
async def test_openrlhf_s_own_client_gets_its_rewards(
    monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    """Its whole single-turn executor: generation, decoding, the request. The token goes into the address."""
    agent = openrlhf_agent(monkeypatch)
    async with service(WordJudge(), token=token) as url:
        address = url.replace("http://", f"http://ralign:{token}@") if token else url
        executor = agent.SingleTurnAgentExecutor([f"{address}/get_reward"])

        async def roll_out(answer: str) -> dict:
            sampling = SimpleNamespace(max_tokens=64, logprobs=None)
            engine = WritingEngine(f"{answer}<|im_end|>")
            return await executor.execute(PROMPT, label(), sampling, 1024, LetterTokenizer(), engine)

        outputs = await asyncio.gather(*map(roll_out, ("good", "bad", "left", "mute")))
    assert [output["reward"] for output in outputs] == [[1.0], [-1.0], [0.0], [0.0]]
    assert [output["scores"] for output in outputs] == [[1.0], [0.0], [0.5], [0.5]]
    assert [output["extra_logs"]["judge_ok"] for output in outputs] == [1.0, 1.0, 1.0, 0.0]
    assert all(isinstance(value, float) for output in outputs for value in output["extra_logs"].values())


async def test_a_full_queue_makes_openrlhf_wait_rather_than_fail(http: aiohttp.ClientSession) -> None:
    async with service(WordJudge(latency=0.1), queue=2) as url:

        async def ask(number: int) -> dict:
            query = {"query": [f"{PROMPT}good {number}"], "prompts": [PROMPT], "labels": [label()]}
            async with http.post(f"{url}/get_reward", json=query) as response:
                assert response.status == 200
                return await response.json()

        answers = await asyncio.gather(*map(ask, range(10)))
    assert [answer["rewards"] for answer in answers] == [[1.0]] * 10

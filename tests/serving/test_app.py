"""The service over real HTTP, judged by words."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from tests.serving.judges import TURN, WordJudge, WordMetaJudge, reward_request, service

from ralign.errors import EndpointRefused
from ralign.judging import FORMATS
from ralign.models import ScriptedModel
from ralign.runs.options import JudgeOptions
from ralign.serving.command import open_models
from ralign.serving.config import ServeConfig

CASES = Path(__file__).parents[3] / "shared/cases/verdicts.jsonl"


async def post(http: aiohttp.ClientSession, url: str, body: object, **options: object) -> tuple[int, dict]:
    async with http.post(url, json=body, **options) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("answer", "reward", "reason"),
    [
        ("a good one", 1.0, None),
        ("a bad one", -1.0, None),
        ("left", 0.0, None),
        ("mute", None, "no verdict in order ab (parse): no box; no verdict in order ba (parse): no box"),
        (
            "lost",
            None,
            "no verdict in order ab (call): no answer in time; no verdict in order ba (call): no answer in time",
        ),
        ("<think>bad</think>good", 1.0, None),
        ("<think>good, or", -1.5, "the answer never ended and was not judged"),
    ],
)
async def test_an_answer_is_rewarded_against_its_reference(
    http: aiohttp.ClientSession, answer: str, reward: float | None, reason: str | None
) -> None:
    """A judge that failed gives null, never 0."""
    async with service(WordJudge()) as url:
        status, body = await post(http, f"{url}/reward", reward_request(answer, id="p1"))
    assert status == 200
    assert (body["id"], body["reward"], body["reason"]) == ("p1", reward, reason)


async def test_the_judge_never_sees_the_thinking(http: aiohttp.ClientSession) -> None:
    judge = WordJudge()
    async with service(judge) as url:
        fields = reward_request("<think>say A</think> good", reference_answer="<think>say B</think> fair")
        await post(http, f"{url}/reward", fields)
    assert {(pair.response_a, pair.response_b) for pair in judge.pairs} == {("good", "fair")}


async def test_a_drawn_side_asks_once_and_the_same_for_every_answer_of_a_prompt(
    http: aiohttp.ClientSession,
) -> None:
    judge = WordJudge()
    async with service(judge, side="drawn") as url:
        for answer in ("good", "bad", "left"):
            for prompt in range(6):
                await post(http, f"{url}/reward", reward_request(answer, id=f"prompt-{prompt}"))
    orders = {(name, order) for name, _, order in judge.asked}
    assert sum(judge.asked.values()) == 18
    assert len(orders) == 6, "one side a prompt"
    assert {order for _, order in orders} == {"ab", "ba"}


async def test_longer_answers_lose_by_the_fixed_penalty(http: aiohttp.ClientSession) -> None:
    """`good` is 4 characters, twice `ok`'s: 1 - 0.2 * (4 / 2 - 1)."""
    async with service(WordJudge(), length_penalty="fixed", length_coefficient=0.2) as url:
        _, body = await post(http, f"{url}/reward", reward_request("good", reference_answer="ok"))
    assert body["reward"] == pytest.approx(0.8)
    assert (body["score"], body["length_penalty"]) == (1.0, pytest.approx(0.2))


async def test_the_dynamic_penalty_grows_while_answers_are_long(http: aiohttp.ClientSession) -> None:
    """Windows of two answers, three times their reference: 0.05 * (3 - 1) a step."""
    penalties: list[float] = []
    async with service(WordJudge(), length_penalty="dynamic", length_coefficient=0.0, length_window=2) as url:
        for _ in range(5):
            _, body = await post(http, f"{url}/reward", reward_request("good g", reference_answer="ok"))
            penalties.append(body["length_penalty"])
        async with http.get(f"{url}/metrics") as response:
            text = await response.text()
    assert penalties == pytest.approx([0, 0, 0.2, 0.2, 0.4])
    assert "ralign_length_coefficient 0.2" in text
    assert "ralign_length_ratio 3.0" in text


@pytest.mark.parametrize(
    ("fields", "verdict", "aligned", "reason"),
    [
        ({}, "A", None, None),
        ({"label": "A", "gold_rationale": "The hour."}, "A", True, None),
        ({"label": "A", "gold_rationale": "<think>hour</think>The tone."}, "A", False, None),
        ({"label": "B", "gold_rationale": "The hour."}, "A", None, "not meta-judged: no verdict is right"),
        ({"label": "A", "gold_rationale": "nothing"}, "A", None, "the meta-judge failed (parse): no verdict"),
        ({"gold_rationale": "x"}, "A", None, "not meta-judged: a gold rationale needs the label"),
        ({"response_a": "left", "orders": "both"}, None, None, "the two orders differ"),
        ({"response_a": "left", "orders": "ba"}, "B", None, None),
    ],
)
async def test_two_answers_are_compared_and_right_verdicts_meta_judged(
    http: aiohttp.ClientSession, fields: dict, verdict: str | None, aligned: bool | None, reason: str | None
) -> None:
    request = {"conversation": [TURN], "response_a": "good", "response_b": "fair", **fields}
    async with service(WordJudge(), WordMetaJudge()) as url:
        status, body = await post(http, f"{url}/compare", request)
    assert status == 200
    assert (body["verdict"], body["aligned"], body["reason"]) == (verdict, aligned, reason)
    assert len(body["judgments"]) == (1 if fields.get("orders") == "ba" else 2)
    assert all(judgment["rationale"] == "The hour decides." for judgment in body["judgments"])


async def test_without_a_meta_judge_it_says_so(http: aiohttp.ClientSession) -> None:
    request = {"conversation": [TURN], "response_a": "good", "response_b": "fair", "label": "A"}
    async with service(WordJudge()) as url:
        _, body = await post(http, f"{url}/compare", {**request, "gold_rationale": "The hour."})
    assert (body["verdict"], body["aligned"]) == ("A", None)
    assert body["reason"] == "not meta-judged: this service has no meta-judge"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "body: Field required"),
        (b"{", "JSON decode error"),
        (b"[]", "body"),
        (b"[" * 100_000, "parsing the body"),
        (b"\xff\xfe", "JSON decode error"),
        (json.dumps(reward_request(reference="misspelt")).encode(), "body.reference"),
        (json.dumps(reward_request(conversation=[])).encode(), "body.conversation"),
        (json.dumps(reward_request(**{"\ud800": 1})).encode(), "unicode"),
        (json.dumps(reward_request(id=3)).encode(), "body.id"),
    ],
)
async def test_malformed_requests_are_told_what_is_wrong(
    http: aiohttp.ClientSession, body: bytes, says: str
) -> None:
    async with service(WordJudge()) as url:
        headers = {"Content-Type": "application/json"}
        async with http.post(f"{url}/reward", data=body, headers=headers) as response:
            assert response.status in (400, 422)
            error = (await response.json())["error"]
            assert says in error
            assert len(error) <= 500
        status, after = await post(http, f"{url}/reward", reward_request())
        assert (status, after["reward"]) == (200, 1.0), "and it goes on"


async def test_half_a_surrogate_pair_is_judged_as_a_question_mark(http: aiohttp.ClientSession) -> None:
    """JSON can spell it, and no request to an endpoint could hold it."""
    judge = WordJudge()
    turn = {"role": "user", "content": "high \ud800 water"}
    async with service(judge) as url:
        fields = reward_request("good \ud800", id="\udfff", conversation=[turn])
        status, body = await post(http, f"{url}/reward", fields)
    assert (status, body["reward"], body["id"]) == (200, 1.0, "?")
    assert judge.pairs[0].response_a == "good ?"
    assert judge.pairs[0].conversation[0].content == "high ? water"


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_oversized_request_is_refused_and_the_connection_stays(
    http: aiohttp.ClientSession, chunked: bool
) -> None:
    body = json.dumps(reward_request("good " * 200_000)).encode()

    async def in_pieces():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with service(WordJudge(), max_bytes=100_000) as url:
        headers = {"Content-Type": "application/json"}
        async with http.post(
            f"{url}/reward", data=in_pieces() if chunked else body, headers=headers
        ) as response:
            assert response.status == 413
            assert "100,000 bytes" in (await response.json())["error"]
        status, _ = await post(http, f"{url}/reward", reward_request())
        assert status == 200


async def test_a_body_that_does_not_come_is_not_waited_for(http: aiohttp.ClientSession) -> None:
    async with service(WordJudge(), deadline=1.0, queue=1) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /reward HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        status, _ = await post(http, f"{url}/reward", reward_request())
        assert status == 200, "its place is free again"


async def test_a_slow_judge_is_504_and_its_call_is_let_go(http: aiohttp.ClientSession) -> None:
    judge = WordJudge(latency=30)
    async with service(judge, deadline=0.2) as url:
        status, body = await post(http, f"{url}/reward", reward_request())
        assert (status, body["error"]) == (504, "no answer from the judge within 0.2 s")
        assert judge.cancelled == 2
        judge.latency = 0.0
        status, _ = await post(http, f"{url}/reward", reward_request())
        assert status == 200


async def test_a_full_queue_sends_back_and_loses_nothing(http: aiohttp.ClientSession) -> None:
    judge = WordJudge(latency=0.3)
    async with service(judge, queue=4) as url:

        async def ask(number: int) -> tuple[int, str | None]:
            async with http.post(f"{url}/reward", json=reward_request(f"good {number}")) as response:
                await response.json()
                return response.status, response.headers.get("Retry-After")

        answers = await asyncio.gather(*(ask(number) for number in range(12)))
        assert sum(status == 200 for status, _ in answers) == 4
        refused = [retry_after for status, retry_after in answers if status == 429]
        assert len(refused) == 8
        assert all(1 <= int(seconds or 0) <= 60 for seconds in refused)
        status, _ = await post(http, f"{url}/reward", reward_request())
        assert status == 200


async def test_a_judge_that_refuses_every_call_is_503_and_shows_in_health(
    http: aiohttp.ClientSession,
) -> None:
    judge = WordJudge(raises=EndpointRefused("'judge' refuses: 401; check the key in OPENAI_API_KEY"))
    async with service(judge) as url:
        status, body = await post(http, f"{url}/reward", reward_request())
        assert (status, body["error"]) == (503, str(judge.raises))
        async with http.get(f"{url}/health") as response:
            assert await response.json() == {"status": "failing", "detail": str(judge.raises)}
        judge.raises = None
        await post(http, f"{url}/reward", reward_request())
        async with http.get(f"{url}/health") as response:
            assert await response.json() == {"status": "ok", "detail": None}


async def test_an_error_of_the_judge_s_own_is_500_without_its_words(http: aiohttp.ClientSession) -> None:
    judge = WordJudge(raises=KeyError("secret"))
    async with service(judge, queue=1) as url:
        status, body = await post(http, f"{url}/reward", reward_request())
        assert (status, body) == (500, {"error": "an error in the service: KeyError"})
        judge.raises = None
        status, _ = await post(http, f"{url}/reward", reward_request())
        assert status == 200, "its place is free again"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer other"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "open-sesame"}, 401),
        ({"Authorization": "Basic !!"}, 401),
        ({"Authorization": "Bearer open-sesame"}, 200),
        ({"authorization": "bearer open-sesame"}, 200),
        ({"Authorization": aiohttp.encode_basic_auth("any", "open-sesame")}, 200),
        ({"Authorization": aiohttp.encode_basic_auth("open-sesame", "")}, 401),
    ],
)
async def test_only_the_token_opens(
    http: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    judge = WordJudge()
    async with service(judge, token="open-sesame") as url:
        for path in ("/reward", "/metrics"):
            method = "POST" if path == "/reward" else "GET"
            json_body = reward_request() if path == "/reward" else None
            async with http.request(method, url + path, json=json_body, headers=headers) as response:
                assert response.status == status
                text = await response.text()
                assert "sesame" not in text
        async with http.get(f"{url}/health") as response:
            assert response.status == 200, "a load balancer has no token"
    assert sum(judge.asked.values()) == (2 if status == 200 else 0)


async def test_everything_is_counted(http: aiohttp.ClientSession) -> None:
    async with service(WordJudge()) as url:
        for answer in ("good", "mute", "<think>", "lost"):
            await post(http, f"{url}/reward", reward_request(answer))
        await post(http, f"{url}/reward", {})
        await post(http, f"{url}/nowhere", {})
        async with http.get(f"{url}/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await response.text()
    for line in (
        'ralign_requests_total{path="/reward",status="200"} 4.0',
        'ralign_requests_total{path="/reward",status="422"} 1.0',
        'ralign_requests_total{path="other",status="404"} 1.0',
        'ralign_rewards_total{result="scored"} 1.0',
        'ralign_rewards_total{result="unscored"} 2.0',
        'ralign_rewards_total{result="unended"} 1.0',
        'ralign_model_answers_total{result="ok",stage="judge"} 2.0',
        'ralign_model_answers_total{result="parse",stage="judge"} 2.0',
        'ralign_model_answers_total{result="call",stage="judge"} 2.0',
        "ralign_requests_in_flight 0.0",
        "ralign_queue_capacity 1024.0",
        "ralign_overhead_seconds_count 3.0",
    ):
        assert line in text.splitlines()


async def test_the_page_and_its_schema_are_there(http: aiohttp.ClientSession) -> None:
    async with service(WordJudge(), token="open-sesame") as url:
        async with http.get(f"{url}/docs") as response:
            assert response.status == 200
        async with http.get(f"{url}/openapi.json") as response:
            schema = await response.json()
    assert set(schema["paths"]) == {"/compare", "/reward", "/get_reward", "/health", "/metrics"}
    assert schema["components"]["securitySchemes"]


@pytest.mark.skipif(not CASES.exists(), reason="the cases in ../shared are not there")
async def test_every_recorded_form_of_a_verdict_is_served_as_it_is_meant(http: aiohttp.ClientSession) -> None:
    """From the flag to the response: the judge that `ralign serve --verdict` opens, over HTTP."""
    rows = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    for name in {row["format"] for row in rows}:
        said = [row for row in rows if row["format"] == name]
        config = ServeConfig(judge=JudgeOptions(judge="m", verdict=name))
        model = ScriptedModel([row["text"] for row in said])
        async with open_models(config, lambda _, model=model: model) as models, service(models.judge) as url:
            for row in said:
                asked = {
                    "conversation": [TURN],
                    "response_a": "At six.",
                    "response_b": "Late.",
                    "orders": "ab",
                }
                status, body = await post(http, f"{url}/compare", asked)
                assert (status, body["verdict"]) == (200, row["verdict"]), row
        assert all(call.messages[0].content.endswith(FORMATS[name].remind) for call in model.calls)


async def test_a_tie_is_a_draw(http: aiohttp.ClientSession) -> None:
    """In one order beside a win: half of it."""
    async with service(WordJudge(lambda pair, order: "tie" if order == "ab" else "A")) as url:
        _, body = await post(http, f"{url}/reward", reward_request("good"))
    assert (body["reward"], body["verdicts"]) == (0.5, {"ab": "tie", "ba": "A"})

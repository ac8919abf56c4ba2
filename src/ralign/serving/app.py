"""Web application: a judge in, an ASGI application out. Its page is at /docs."""

import asyncio
import logging
from time import monotonic
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from ralign import __version__
from ralign.errors import EndpointRefused
from ralign.judging import Judge
from ralign.metajudging import MetaJudge
from ralign.serving.config import ServeConfig
from ralign.serving.metrics import ServingMetrics, current_timing
from ralign.serving.middleware import RequestMiddleware
from ralign.serving.openrlhf import Unusable, to_request, to_response
from ralign.serving.schemas import (
    CompareRequest,
    CompareResponse,
    Health,
    OpenRlhfRequest,
    OpenRlhfResponse,
    Problem,
    RewardRequest,
    RewardResponse,
)
from ralign.serving.service import RewardService

_log = logging.getLogger(__name__)

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not readable"},
    401: {"model": Problem, "description": "The token is missing or another one"},
    408: {"model": Problem, "description": "The body did not come in time"},
    413: {"model": Problem, "description": "The request is too large"},
    422: {"model": Problem, "description": "The request is not what is expected"},
    429: {"model": Problem, "description": "The queue is full; `Retry-After` says when to come back"},
    503: {"model": Problem, "description": "The judge refuses every call"},
    504: {"model": Problem, "description": "The judge did not answer in time"},
}


def create_app(
    config: ServeConfig, judge: Judge, meta_judge: MetaJudge | None = None, *, token: str | None = None
) -> FastAPI:
    """Build the application around any judge, ours or a user's.

    Args:
        config: limits, and how an answer is rewarded; what it says of models and addresses is not looked at.
        judge: asked once for each order.
        meta_judge: asked about right verdicts of `/compare` that come with a gold rationale.
        token: what clients must bring; None: nothing.
    """
    metrics = ServingMetrics()
    service = RewardService(config, judge, meta_judge, metrics)
    app = FastAPI(
        title="ralign serve",
        version=__version__,
        summary="A generative reward model as a policy's reward.",
        exception_handlers=dict.fromkeys(
            (RequestValidationError, HTTPException, EndpointRefused, Exception), _problem
        ),
    )
    # For the page alone: what is checked, the middleware checks. On every path, as an APIRouter costs 0.1 ms a request.
    guarded: dict[str, Any] = {
        "responses": _PROBLEMS,
        "dependencies": [Depends(HTTPBearer(auto_error=False))] if token else [],
    }

    @app.post("/compare", **guarded)
    async def compare(request: CompareRequest) -> CompareResponse:
        """Judge two answers; with label and gold rationale, meta-judge each right verdict."""
        return await service.compare(request)

    @app.post("/reward", **guarded)
    async def reward(request: RewardRequest) -> RewardResponse:
        """Reward one answer against its reference."""
        return await service.reward(request)

    @app.post("/get_reward", **guarded)
    async def get_reward(request: OpenRlhfRequest) -> OpenRlhfResponse:
        """Reward OpenRLHF's answers. Always numbers; `extra_logs.judge_ok` below 1 where one is a fallback."""
        rows = range(len(request.query))
        return to_response(await asyncio.gather(*(_openrlhf_reward(service, request, row) for row in rows)))

    @app.get("/health")
    async def health() -> Health:
        """Say that the service answers, and whether its models did when they were last asked."""
        return Health(status="ok" if service.refusal is None else "failing", detail=service.refusal)

    @app.get("/metrics", response_class=Response, **guarded)
    async def show_metrics() -> Response:
        """Everything that is counted, for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    # Bound by the decorators; named here for the type checker.
    del compare, reward, get_reward, health, show_metrics
    app.add_middleware(
        RequestMiddleware,
        token=token,
        queue=config.queue,
        deadline=config.deadline,
        max_bytes=config.max_bytes,
        metrics=metrics,
    )
    return app


async def _openrlhf_reward(
    service: RewardService, request: OpenRlhfRequest, row: int
) -> RewardResponse | Unusable:
    """One answer's reward, or why it has none. Nothing here may raise: see `ralign.serving.openrlhf`."""
    reward: RewardRequest | RewardResponse | Unusable = to_request(
        request.query[row],
        request.prompts[row] if row < len(request.prompts) else None,
        request.labels[row] if row < len(request.labels) else None,
    )
    if isinstance(reward, RewardRequest):
        try:
            async with asyncio.timeout(current_timing.get().deadline - monotonic()):
                reward = await service.reward(reward)
        except TimeoutError:
            reward = Unusable("the judge did not answer in time")
        except EndpointRefused as error:
            reward = Unusable(str(error))
    if isinstance(reward, Unusable) or reward.reward is None:
        _log.warning("/get_reward: a fallback was given: %s", reward.reason)
    return reward


async def _problem(_: Request, error: Exception) -> JSONResponse:
    """One shape for everything that is wrong: `{"error": one line}`, never an echo of the request."""
    headers: dict[str, str] = {}
    match error:
        case RequestValidationError():
            found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
            status, text = 422, "; ".join(found)
        case HTTPException():
            status, text, headers = error.status_code, str(error.detail), dict(error.headers or {})
        case EndpointRefused():
            status, text, headers = 503, str(error), {"Retry-After": "10"}
        case _:
            # Logged with its traceback by whoever runs the application; the client learns the kind alone.
            status, text = 500, f"an error in the service: {type(error).__name__}"
            headers = {"Connection": "close"}
    # A name that was not expected is repeated, and may hold what no UTF-8 text can.
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())[:500]
    return JSONResponse({"error": line}, status, headers)

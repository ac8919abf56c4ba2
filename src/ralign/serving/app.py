"""The web application: a judge in, an ASGI application out. Its page is at /docs."""

import asyncio
import logging
from time import monotonic
from typing import Any, TypedDict

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends as DependsParameter
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from ralign import __version__
from ralign.errors import EndpointRefused
from ralign.judging import Judge
from ralign.metajudging import MetaJudge
from ralign.serving.config import ServeConfig
from ralign.serving.metrics import Gauges
from ralign.serving.middleware import Gate
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
from ralign.serving.timing import current_clock

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


class _Guarded(TypedDict):
    """What the page says of every path that asks for the token. An APIRouter could say it, at 0.1 ms a request."""

    responses: dict[int | str, dict[str, Any]]
    dependencies: list[DependsParameter]


def create_app(
    config: ServeConfig, judge: Judge, meta_judge: MetaJudge | None = None, *, token: str | None = None
) -> FastAPI:
    """The application around any judge, ours or a user's.

    Args:
        config: limits, and how an answer is rewarded; what it says of models and addresses is not looked at.
        judge: asked once for each order.
        meta_judge: asked about right verdicts of `/compare` that come with a gold rationale.
        token: what clients must bring; None: nothing.
    """
    gauges = Gauges()
    service = RewardService(config, judge, meta_judge, gauges)
    app = FastAPI(
        title="ralign serve",
        version=__version__,
        summary="A generative reward model as a policy's reward.",
    )
    # For the page alone: what is checked, the gate checks.
    guarded = _Guarded(
        responses=_PROBLEMS, dependencies=[Depends(HTTPBearer(auto_error=False))] if token else []
    )
    _add_rewards(app, service, guarded)
    _add_reports(app, service, gauges, guarded)
    app.add_middleware(
        Gate,
        token=token,
        places=config.queue,
        deadline=config.deadline,
        max_bytes=config.max_bytes,
        gauges=gauges,
    )
    _add_error_handlers(app)
    return app


def _add_rewards(app: FastAPI, service: RewardService, guarded: _Guarded) -> None:
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
        """Reward OpenRLHF's answers. Always numbers; `extra_logs.judge_ok` below 1 where one is a stand-in."""
        rows = range(len(request.query))
        rewards = await asyncio.gather(*(_openrlhf_reward(service, request, row) for row in rows))
        return to_response(rewards)

    # Bound by the decorators; named here for the type checker.
    del compare, reward, get_reward


async def _openrlhf_reward(
    service: RewardService, request: OpenRlhfRequest, row: int
) -> RewardResponse | Unusable:
    """One answer's reward, or why it has none. Nothing here may raise: see `ralign.serving.openrlhf`."""
    ours = to_request(
        request.query[row],
        request.prompts[row] if row < len(request.prompts) else None,
        request.labels[row] if row < len(request.labels) else None,
    )
    if isinstance(ours, Unusable):
        _log.warning("/get_reward: a stand-in was given: %s", ours.reason)
        return ours
    try:
        async with asyncio.timeout(current_clock.get().deadline - monotonic()):
            reward = await service.reward(ours)
    except TimeoutError:
        reward = Unusable("the judge did not answer in time")
    except EndpointRefused as error:
        reward = Unusable(str(error))
    if isinstance(reward, Unusable) or reward.reward is None:
        _log.warning("/get_reward: a stand-in was given: %s", reward.reason)
    return reward


def _add_reports(app: FastAPI, service: RewardService, gauges: Gauges, guarded: _Guarded) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Say that the service answers, and whether its models did when they were last asked."""
        return Health(status="ok" if service.refusal is None else "failing", detail=service.refusal)

    @app.get("/metrics", response_class=Response, **guarded)
    async def metrics() -> Response:
        """Everything that is counted, for Prometheus."""
        return Response(gauges.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    del health, metrics


def _add_error_handlers(app: FastAPI) -> None:
    """One shape for everything that is wrong: `{"error": one line}`, never an echo of the request."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
        return _problem(422, "; ".join(found))

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(EndpointRefused)
    async def unavailable(_: Request, error: EndpointRefused) -> JSONResponse:
        return _problem(503, str(error), {"Retry-After": "10"})

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        # Logged with its traceback by whoever runs the application; the client learns the kind alone.
        return _problem(500, f"an error in the service: {type(error).__name__}", {"Connection": "close"})

    del invalid, refused, unavailable, broken


def _problem(status: int, error: str, headers: dict[str, str] | None = None) -> JSONResponse:
    # A name that was not expected is repeated, and may hold what no UTF-8 text can.
    line = " ".join(error.encode("utf-8", "backslashreplace").decode().split())[:500]
    return JSONResponse({"error": line}, status, headers)

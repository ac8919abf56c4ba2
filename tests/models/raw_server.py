"""A server that sends any bytes, and keeps what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from aiohttp import web


@dataclass
class Server:
    """Answers every request as `answer` says; keeps what it was asked."""

    answer: Callable[[int, dict[str, Any], web.BaseRequest], web.Response]
    fields: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        async def handle(request: web.BaseRequest) -> web.Response:
            self.fields.append(orjson.loads(await request.read()))
            self.paths.append(request.path_qs)
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            return self.answer(len(self.fields) - 1, self.fields[-1], request)

        self.runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.2)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.runner.cleanup()


def sent(body: object, status: int = 200, content_type: str = "application/json") -> web.Response:
    raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else orjson.dumps(body)
    return web.Response(body=raw, status=status, headers={"Content-Type": content_type})

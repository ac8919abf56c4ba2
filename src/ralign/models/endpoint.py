"""One OpenAI-compatible address: its connections, its key, and one try of a call.

A request's body goes in; a `Reply` or a `EndpointError` comes out, never an exception of the transport, and never the
key. What is tried again is `ralign.models.endpoint_model`'s business.
"""

import asyncio
import dataclasses
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, cast

import aiohttp

from ralign.errors import InputError
from ralign.models.deadlines import Deadlines
from ralign.models.endpoint_error import EndpointError, one_line, read_error
from ralign.models.endpoint_url import DEFAULT_KEY_VARIABLE, chat_url, proxy_for, read_key, shown
from ralign.models.model import Reply
from ralign.models.protocol import read_reply
from ralign.models.retry import RetryPolicy, read_retry_after

_LONGEST_MESSAGE = 300


class Endpoint:
    """One address: its connections, its key, and how many calls may be in flight to it, whatever the model.

    Use as an async context manager, around every call to its models.

    Args:
        url: the base address, with or without `/v1`, or the full `…/chat/completions`; see `chat_url`.
        key_variable: the environment variable that holds the key. The default one may be unset.
        concurrency: calls in flight at most.
        retry: the limits of each call.

    Raises:
        InputError: the address or the key cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        key_variable: str = DEFAULT_KEY_VARIABLE,
        concurrency: int = 64,
        retry: RetryPolicy | None = None,
    ) -> None:
        if concurrency < 1:
            raise InputError(f"concurrency is {concurrency}, expected at least 1")
        self._url = chat_url(url)
        self._key = read_key(key_variable)
        self._session: aiohttp.ClientSession | None = None
        self._deadlines: Deadlines | None = None
        self.url = shown(self._url)
        """The address that calls go to, without its query."""
        self.key_variable = key_variable
        self.concurrency = concurrency
        self.retry = retry or RetryPolicy()
        self.slots = asyncio.Semaphore(concurrency)
        self.reached = False
        """Whether this address has ever answered anything."""

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, concurrency={self.concurrency})"

    async def __aenter__(self) -> Self:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "ralign"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        # What aiohttp would do anew for every call is switched off or fixed here: its timers (post() has one of
        # its own), cookies, and the search for a proxy. The slots bound the connections.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=15),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.retry.connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy_for(self._url),
            headers=headers,
        )
        self._deadlines = Deadlines()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._deadlines is not None:
            self._deadlines.close()
            self._deadlines = None

    async def post(self, body: bytes, until: float) -> Reply | EndpointError:
        """Send one request and wait for its answer until the loop's clock shows `until`."""
        if self._session is None or self._deadlines is None:
            raise RuntimeError("an Endpoint is used outside its `async with`")
        task = cast("asyncio.Task[object]", asyncio.current_task())  # a coroutine always runs in one
        self._deadlines.add(task, until)
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                content = await response.read()
        except asyncio.CancelledError:
            if not self._deadlines.has_expired(task):
                raise
            failed = EndpointError(kind="broken", message="no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            failed = _transport_failure(error)
        else:
            self.reached = True
            outcome = read_reply(content) if response.status == 200 else _read_failure(response, content)
            if isinstance(outcome, Reply):
                return outcome
            failed = outcome
        finally:
            self._deadlines.discard(task)
        return dataclasses.replace(failed, message=self._safe(failed.message))

    def key_hint(self) -> str:
        """What to check about the key."""
        if self._key is None:
            return f"no key was sent: set {self.key_variable}, or name the variable that holds the key"
        return f"check the key in {self.key_variable}"

    def _safe(self, message: str) -> str:
        """A message without the key and the address's query, whoever put them there, and then not too long."""
        message = message.replace(str(self._url), self.url)
        if self._key is not None:
            message = message.replace(self._key, "[key]")
        return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def _read_failure(response: aiohttp.ClientResponse, content: bytes) -> EndpointError:
    """What an answer with another status than 200 says."""
    retry_after = read_retry_after(response.headers, datetime.now(UTC))
    if 300 <= response.status < 400 and (target := response.headers.get("Location")):
        content = f"it has moved to {target}".encode()
    return read_error(response.status, content, retry_after)


def _transport_failure(error: aiohttp.ClientError | OSError) -> EndpointError:
    """A connection that could not be made, or that broke, or that stayed silent."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return EndpointError(kind="refused", message=one_line(f"its certificate is not trusted: {error}"))
    if isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ClientHttpProxyError
    ):
        return EndpointError(kind="unreachable", message=one_line(str(error)) or type(error).__name__)
    return EndpointError(kind="broken", message=one_line(f"{type(error).__name__}: {error}"))

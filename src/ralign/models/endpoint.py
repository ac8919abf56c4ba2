"""An OpenAI-compatible endpoint: its connections, its key, and one try of a call.

A request's body goes in; a `Reply` or an `EndpointError` comes out, never an exception of the transport, and never the
key. Retries are `ralign.models.endpoint_model`'s business.
"""

import asyncio
import dataclasses
from datetime import UTC, datetime
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
    """One endpoint: its connections, its key, and how many calls may be in flight to it, whatever the model.

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

    async def __aexit__(self, *exception: object) -> None:
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
            error = EndpointError(kind="broken", message="no answer in time")
        except aiohttp.ClientConnectorCertificateError as failure:
            # A wrong certificate does not mend itself: no other try, although aiohttp counts it as a connection error.
            error = EndpointError(
                kind="refused", message=one_line(f"its certificate is not trusted: {failure}")
            )
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
        ) as failure:
            message = one_line(str(failure)) or type(failure).__name__
            error = EndpointError(kind="unreachable", message=message)
        except (aiohttp.ClientError, OSError) as failure:
            message = one_line(f"{type(failure).__name__}: {failure}")
            error = EndpointError(kind="broken", message=message)
        else:
            self.reached = True
            if response.status == 200:
                outcome = read_reply(content)
                if isinstance(outcome, Reply):
                    return outcome
                error = outcome
            else:
                # A redirect is not followed: a POST would become a GET, and the key would go to another host.
                if 300 <= response.status < 400 and (target := response.headers.get("Location")):
                    content = f"it has moved to {target}".encode()
                retry_after = read_retry_after(response.headers, datetime.now(UTC))
                error = read_error(response.status, content, retry_after)
        finally:
            self._deadlines.discard(task)
        # Servers and proxies quote the key and the URL's query back; shortened only after both are out.
        message = error.message.replace(str(self._url), self.url)
        if self._key is not None:
            message = message.replace(self._key, "[key]")
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 1] + "…"
        return dataclasses.replace(error, message=message)

    def key_hint(self) -> str:
        """Advice on the key, for errors."""
        if self._key is None:
            return f"no key was sent: set {self.key_variable}, or name the variable that holds the key"
        return f"check the key in {self.key_variable}"

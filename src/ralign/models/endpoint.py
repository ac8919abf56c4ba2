"""An OpenAI-compatible endpoint: its connections, its key, and one try of a call.

A request's body goes in; a `Reply` or an `EndpointError` comes out, never an exception of the transport, and never the
key. Retries are `ralign.models.endpoint_model`'s business.

The URL of an endpoint's calls, the proxy on the way, and the key. Nothing here is ever logged.
"""

import asyncio
import dataclasses
import os
import re
import urllib.request
from datetime import UTC, datetime
from typing import Self, cast

import aiohttp
from yarl import URL

from ralign.errors import InputError
from ralign.models.endpoint_error import EndpointError, one_line, read_error
from ralign.models.model import Reply
from ralign.models.protocol import read_reply
from ralign.models.retry import Deadlines, RetryPolicy, read_retry_after

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"

_VERSION = re.compile(r"v\d\w*")
_PATH = "/chat/completions"


def chat_url(given: str) -> URL:
    """The full URL of the chat-completions call.

    | given                                    | used                                  |
    | ---------------------------------------- | ------------------------------------- |
    | `http://host:8000`, `http://host:8000/`  | `http://host:8000/v1/chat/completions` |
    | `http://host/v1`, `https://host/api/v1/` | the same with `/chat/completions`     |
    | `https://host/v1beta/openai`             | the same with `/chat/completions`     |
    | anything that ends in `/chat/completions` | itself                               |

    So `/v1` is added only where no part of the path is a version. A query (`?api-version=…`) is kept.

    Raises:
        InputError: not an http address, or one that holds a user or a password.
    """
    try:
        url = URL(given.strip())
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"the endpoint's address is '{given}', expected http://… or https://…")
    if url.user is not None or url.password is not None:
        raise InputError(
            f"the endpoint's address for {url.host} holds a user name or a password; "
            "put the key into an environment variable instead"
        )
    # One setting in two habits: OpenAI's clients take the base URL, people copy the whole one from a curl example.
    path = url.path.rstrip("/")
    if not path.endswith(_PATH):
        versioned = any(_VERSION.fullmatch(part) for part in path.split("/"))
        path = path + ("" if versioned else "/v1") + _PATH
    return url.with_path(path, keep_query=True)


def shown(url: URL) -> str:
    """The URL as messages show it: without its query, which may hold a key."""
    return str(url.with_query(None))


def read_key(variable: str) -> str | None:
    """The key in an environment variable; None where the default variable is not set (local servers need none).

    Raises:
        InputError: another variable than the default one is named and not set, or the key cannot be a header.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        if variable != DEFAULT_KEY_VARIABLE:
            raise InputError(f"the environment variable {variable}, named as the endpoint's key, is not set")
        return None
    if not (key.isascii() and key.isprintable()):
        raise InputError(
            f"the key in {variable} holds characters that no key can have (a line break, a quote?)"
        )
    return key


def proxy_for(url: URL) -> str | None:
    """The proxy that the environment names for this address (`HTTPS_PROXY`, `NO_PROXY`), never one for loopback.

    Looked up once per endpoint: aiohttp's own `trust_env` looks again for every call.
    """
    host = url.host or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(url.scheme)


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

"""An OpenAI-compatible endpoint: its connections, its key, and one try of a call.

A request's body goes in; a `Reply` or an `EndpointError` comes out, never an exception of the transport, and never the
key. Retries are `ralign.models.endpoint_model`'s business.

The URL of an endpoint's calls, the proxy on the way, and the key. Nothing here is ever logged.
"""

import asyncio
import dataclasses
import ipaddress
import os
import re
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import BinaryIO, Self, cast

import aiohttp
from yarl import URL

from ralign.errors import InputError
from ralign.models.endpoint_error import EndpointError, one_line, read_error
from ralign.models.model import Reply
from ralign.models.protocol import read_reply
from ralign.models.retry import Deadlines, RetryPolicy, read_retry_after
from ralign.thinking import Syntax

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"

_VERSION = re.compile(r"v\d\w*")
_PATH = "/chat/completions"
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+")
# Headers that carry a key of their own (Azure, API gateways): the default key is not for such an endpoint.
_KEY_HEADER = re.compile(r"authorization|.*(?:key|token)", re.IGNORECASE)


def chat_url(given: str) -> URL:
    """The full URL of the chat-completions call.

    | given                                    | used                                  |
    | ---------------------------------------- | ------------------------------------- |
    | `http://host:8000`, `http://host:8000/`  | `http://host:8000/v1/chat/completions` |
    | `http://host/v1`, `https://host/api/v1/` | the same with `/chat/completions`     |
    | `https://host/v1beta/openai`             | the same with `/chat/completions`     |
    | `https://host/openai/deployments/NAME`   | the same with `/chat/completions`     |
    | `https://host/v1?api-version=…`          | the same with `/chat/completions`     |
    | `https://host/judge?code=…`              | itself                                |
    | anything that ends in `/chat/completions` | itself                               |

    So `/v1` is added only where no part of the path is a version, none names a deployment (Azure), and there is no
    query. A query is always sent.

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
    parts = path.split("/")
    if not path.endswith(_PATH):
        complete = "deployments" in parts[:-1] or any(_VERSION.fullmatch(part) for part in parts)
        # An address with a query was copied from somewhere: nobody but its server knows what else it would need.
        if complete or not url.query_string or not path:
            path = path + ("" if complete else "/v1") + _PATH
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


def read_headers(flag: str, given: Sequence[str]) -> dict[str, str]:
    """Headers by name, their values from the environment variables that `NAME=VARIABLE` names.

    Raises:
        InputError: not NAME=VARIABLE, a variable that is not set, or a value that cannot be a header's.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, variable = (part.strip() for part in text.partition("="))
        # The text is not repeated: it may hold the key itself.
        if not equals or not variable.isidentifier() or _HEADER.fullmatch(name) is None:
            raise InputError(
                f"{flag} expects NAME=VARIABLE, the header's name and the environment variable that holds its value, "
                "as in api-key=AZURE_API_KEY"
            )
        value = os.environ.get(variable, "").strip()
        if not value:
            raise InputError(f"{flag} {name}={variable}: the environment variable {variable} is not set")
        if not (value.isascii() and value.isprintable()):
            raise InputError(
                f"{flag} {name}={variable}: its value holds characters that no header can have (a line break, a quote?)"
            )
        found[name] = value
    return found


def proxy_for(url: URL) -> URL | None:
    """The proxy that the environment names for this address (`HTTPS_PROXY`, `NO_PROXY`), never one for loopback.

    Looked up once per endpoint: aiohttp's own `trust_env` looks again for every call.

    Raises:
        InputError: a proxy that aiohttp cannot use.
    """
    host = url.host or ""
    if host == "localhost" or host.endswith(".localhost") or urllib.request.proxy_bypass(host):
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        # 0.0.0.0 is what servers print as their own address; connecting to it leads to this machine.
        if address.is_loopback or address.is_unspecified:
            return None
    proxies = urllib.request.getproxies()
    given = proxies.get(url.scheme) or proxies.get("all")
    if not given:
        return None
    # `proxy:3128`, as curl and the standard library take it.
    proxy = URL(given if "://" in given else f"http://{given}")
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise InputError(
            f"the environment names the proxy {_without_user(proxy)} for {url.host}, expected http://host:port; set "
            f"NO_PROXY={url.host} to go without one"
        )
    return proxy


def _without_user(proxy: URL) -> str:
    """The proxy as messages show it: it may hold a password."""
    return str(proxy.with_user(None) if proxy.user is not None else proxy).rstrip("/")


_LONGEST_MESSAGE = 300
# Names of requests, which are different each time.
_REQUEST_ID = re.compile(r"\b(?=[\w-]*\d)[\w-]{9,}\b")
# More kinds of failures than anybody reads.
_MOST_KINDS = 100


class Endpoint:
    """One endpoint: its connections, its key, and how many calls may be in flight to it, whatever the model.

    Use as an async context manager, around every call to its models.

    Args:
        url: the base address, with or without `/v1`, or the full `…/chat/completions`; see `chat_url`.
        key_variable: the environment variable that holds the key. The default one may be unset; it is not for an
            endpoint that has its key in a header.
        headers: further ones, with their values; see `read_headers`. They win over ours.
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
        headers: Mapping[str, str] = MappingProxyType({}),
        concurrency: int = 64,
        retry: RetryPolicy | None = None,
    ) -> None:
        if concurrency < 1:
            raise InputError(f"concurrency is {concurrency}, expected at least 1")
        self._url = chat_url(url)
        self._own_key = next((name for name in headers if _KEY_HEADER.fullmatch(name)), None)
        # The key of another provider, which lies in the default variable, is nobody else's business.
        sent = self._own_key is None or key_variable != DEFAULT_KEY_VARIABLE
        self._key = read_key(key_variable) if sent else None
        self._headers = dict(headers)
        # Of a header that holds a short word or a number nothing is hidden by hiding it.
        values = [value for name, value in headers.items() if _KEY_HEADER.fullmatch(name) or len(value) > 8]
        self._secrets = [secret for secret in (self._key, *values) if secret]
        self._proxy = proxy_for(self._url)
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
        self.replied = False
        """Whether a model here has ever given a reply."""
        self.waiting = 0
        """Tries in flight, which may be about to be answered."""
        self.failed_since: float | None = None
        """When the first try began that failed, on the loop's clock; None where none has."""
        self.failed_tries: Counter[str] = Counter()
        """How often a try failed, by how (without what is different each time)."""

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, concurrency={self.concurrency})"

    async def __aenter__(self) -> Self:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "ralign"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        given = {name.lower() for name in self._headers}
        headers = {
            name: value for name, value in headers.items() if name.lower() not in given
        } | self._headers
        # What aiohttp would do anew for every call is switched off or fixed here: its timers (post() has one of
        # its own), cookies, and the search for a proxy. The slots bound the connections.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=15),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.retry.connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
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

    async def post(
        self, body: bytes, until: float, thought_tags: Sequence[Syntax] = ()
    ) -> Reply | EndpointError:
        """Send one chat request and wait for its answer until the loop's clock shows `until`."""
        self.waiting += 1
        try:
            answer = await self.exchange("POST", self._url, until, data=body)
        finally:
            self.waiting -= 1
        if isinstance(answer, EndpointError):
            if answer.kind != "filtered":
                return answer
            # As providers say it that answer with status 200: what the model came to, asked once.
            outcome = Reply(text="", finish_reason="content_filter")
        else:
            outcome = read_reply(answer, thought_tags)
            if isinstance(outcome, EndpointError):
                return self._shown(outcome)
        self.replied = True
        return outcome

    def address(self, path: str) -> URL:
        """The URL of another resource beside the chat completions, such as `/batches`; the query is kept.

        Raises:
            InputError: the address of the chat completions does not end as such addresses do.
        """
        if not self._url.path.endswith(_PATH):
            raise InputError(f"the endpoint's address is {self.url}, expected one that ends in {_PATH}")
        return self._url.with_path(self._url.path.removesuffix(_PATH) + path, keep_query=True)

    async def exchange(
        self,
        method: str,
        url: URL,
        until: float,
        *,
        data: bytes | aiohttp.MultipartWriter | None = None,
        save_to: BinaryIO | None = None,
    ) -> bytes | EndpointError:
        """Send one request and wait until the loop's clock shows `until`: the body of an answer with status 200.

        Args:
            method: of HTTP.
            url: the chat completions', or an `address`.
            until: when to give up, in seconds of the loop's clock.
            data: JSON, or a form.
            save_to: takes the body in place of memory; what is returned is then empty.
        """
        if self._session is None or self._deadlines is None:
            raise RuntimeError("an Endpoint is used outside its `async with`")
        headers = data.headers if isinstance(data, aiohttp.MultipartWriter) else None
        task = cast("asyncio.Task[object]", asyncio.current_task())  # a coroutine always runs in one
        self._deadlines.add(task, until)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                if save_to is None or response.status != 200:
                    content = await response.read()
                else:
                    content = b""
                    async for chunk in response.content.iter_chunked(1 << 18):
                        save_to.write(chunk)
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
                return content
            # A redirect is not followed: a POST would become a GET, and the key would go to another host.
            if 300 <= response.status < 400 and (target := response.headers.get("Location")):
                content = f"it has moved to {target}".encode()
            retry_after = read_retry_after(response.headers, datetime.now(UTC))
            error = read_error(response.status, content, retry_after)
        finally:
            self._deadlines.discard(task)
        return self._shown(error)

    def presentable(self, error: EndpointError) -> EndpointError:
        """The error as people may see it: short, without the keys and the URL's query."""
        # Servers and proxies quote the key and the URL's query back; shortened only after both are out.
        message = error.message.replace(str(self._url), self.url)
        for secret in self._secrets:
            message = message.replace(secret, "[key]")
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 1] + "…"
        return dataclasses.replace(error, message=message)

    def _shown(self, error: EndpointError) -> EndpointError:
        """The error of a request, with the proxy on its way."""
        error = self.presentable(error)
        if self._proxy is None:
            return error
        through = f"(through the proxy {_without_user(self._proxy)}; NO_PROXY={self._url.host} avoids it)"
        return dataclasses.replace(error, message=f"{error.message} {through}")

    def count_failure(self, message: str, started: float) -> None:
        """Count a try that failed; `started` on the loop's clock."""
        if self.failed_since is None:
            self.failed_since = started
        kind = _REQUEST_ID.sub("…", message)
        if kind not in self.failed_tries and len(self.failed_tries) >= _MOST_KINDS:
            kind = "other failures"
        self.failed_tries[kind] += 1

    def key_hint(self) -> str:
        """Advice on the key, for errors."""
        if self._own_key is not None:
            return f"check the key in the header {self._own_key}"
        if self._key is None:
            return f"no key was sent: set {self.key_variable}, or name the variable that holds the key"
        return f"check the key in {self.key_variable}"

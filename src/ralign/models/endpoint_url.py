"""The URL of an endpoint's calls, the proxy on the way, and the key. Nothing here is ever logged."""

import os
import re
import urllib.request

from yarl import URL

from ralign.errors import InputError

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

import pytest
from yarl import URL

from ralign.errors import InputError
from ralign.models.endpoint_url import chat_url, proxy_for, read_key, shown


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://host:8000", "http://host:8000/v1/chat/completions"),
        ("http://host:8000/", "http://host:8000/v1/chat/completions"),
        ("http://host:8000/v1", "http://host:8000/v1/chat/completions"),
        (" http://host:8000/v1/ ", "http://host:8000/v1/chat/completions"),
        ("http://host:8000/v1/chat/completions", "http://host:8000/v1/chat/completions"),
        ("http://host:8000/v1/chat/completions/", "http://host:8000/v1/chat/completions"),
        ("https://host/api/v1", "https://host/api/v1/chat/completions"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai/chat/completions"),
        ("https://host/gateway", "https://host/gateway/v1/chat/completions"),
        ("https://host/chat/completions", "https://host/chat/completions"),
        (
            "https://host/openai/deployments/x/chat/completions?api-version=1",
            "https://host/openai/deployments/x/chat/completions?api-version=1",
        ),
    ],
)
def test_the_address_that_is_used(given, used):
    assert str(chat_url(given)) == used


@pytest.mark.parametrize(
    "given", ["", "host:8000", "localhost:8000/v1", "ftp://host/v1", "http://", "http://h:x"]
)
def test_what_is_no_address_is_named(given):
    with pytest.raises(InputError, match="expected http"):
        chat_url(given)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(InputError) as raised:
        chat_url("https://user:geheim@host/v1")
    assert "geheim" not in str(raised.value)


def test_a_shown_address_has_no_query():
    assert shown(URL("https://host/v1?key=geheim")) == "https://host/v1"


def test_the_default_key_may_be_missing_and_a_named_one_may_not(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    assert read_key("OPENAI_API_KEY") is None
    with pytest.raises(InputError, match="JUDGE_KEY, named as the endpoint's key, is not set"):
        read_key("JUDGE_KEY")
    monkeypatch.setenv("JUDGE_KEY", " abc\n")
    assert read_key("JUDGE_KEY") == "abc"


@pytest.mark.parametrize("key", ["geheim\nX-Other: 1", "gehéim"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(monkeypatch, key):
    monkeypatch.setenv("JUDGE_KEY", key)
    with pytest.raises(InputError) as raised:
        read_key("JUDGE_KEY")
    assert key[:3] not in str(raised.value)


def test_the_environments_proxy_is_used_but_not_for_this_machine(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "inside.example")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy:3128")
    assert proxy_for(URL("https://host/v1")) == "http://proxy:3128"
    for endpoint_url in (
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "http://[::1]:80",
        "https://inside.example",
    ):
        assert proxy_for(URL(endpoint_url)) is None

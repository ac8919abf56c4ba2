import pytest
from yarl import URL

from ralign.errors import InputError
from ralign.models.endpoint import Endpoint, chat_url, proxy_for, read_headers, read_key, shown


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
        ("https://host/openai/deployments/x", "https://host/openai/deployments/x/chat/completions"),
        (
            "https://host/openai/deployments/x/?api-version=1",
            "https://host/openai/deployments/x/chat/completions?api-version=1",
        ),
        ("https://host/openai/v1?api-version=1", "https://host/openai/v1/chat/completions?api-version=1"),
        ("https://host?a=1", "https://host/v1/chat/completions?a=1"),
        ("https://host/api/judge?code=1", "https://host/api/judge?code=1"),
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
    assert proxy_for(URL("https://host/v1")) == URL("http://proxy:3128")
    for endpoint_url in (
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "http://[::1]:80",
        "http://0.0.0.0:8000/v1",
        "http://[::]:8000",
        "http://127.1.2.3",
        "http://judge.localhost:8000",
        "https://inside.example",
    ):
        assert proxy_for(URL(endpoint_url)) is None


@pytest.fixture
def proxy(monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return lambda value: monkeypatch.setenv("http_proxy", value)


def test_a_proxy_without_a_scheme_is_an_http_one(proxy):
    proxy("proxy:3128")
    assert proxy_for(URL("http://host/v1")) == URL("http://proxy:3128")


def test_a_proxy_of_another_kind_is_named_without_its_password(proxy):
    proxy("socks5://user:geheim@proxy:1080")
    with pytest.raises(
        InputError, match=r"the proxy socks5://proxy:1080 for host, .* NO_PROXY=host"
    ) as raised:
        proxy_for(URL("http://host/v1"))
    assert "geheim" not in str(raised.value)


def test_headers_have_their_values_from_the_environment(monkeypatch):
    monkeypatch.setenv("AZURE_KEY", " abc ")
    monkeypatch.setenv("TEAM", "evals")
    given = ["api-key=AZURE_KEY", "X-Team = TEAM"]
    assert read_headers("--judge-header", given) == {"api-key": "abc", "X-Team": "evals"}


@pytest.mark.parametrize(
    "given",
    ["api-key", "api-key=", "=AZURE_KEY", "api-key=sk-12/34+56", "api key=AZURE_KEY", "api-key: geheim"],
)
def test_a_header_that_names_no_variable_is_refused_and_not_repeated(given):
    with pytest.raises(InputError, match="--judge-header expects NAME=VARIABLE") as raised:
        read_headers("--judge-header", [given])
    assert "sk-12" not in str(raised.value)
    assert "geheim" not in str(raised.value)


def test_a_header_whose_variable_is_missing_or_holds_no_header_is_refused(monkeypatch):
    monkeypatch.delenv("AZURE_KEY", raising=False)
    with pytest.raises(InputError, match="the environment variable AZURE_KEY is not set"):
        read_headers("--judge-header", ["api-key=AZURE_KEY"])
    monkeypatch.setenv("AZURE_KEY", "geheim\nX: 1")
    with pytest.raises(InputError, match="no header can have") as raised:
        read_headers("--judge-header", ["api-key=AZURE_KEY"])
    assert "geheim" not in str(raised.value)


def test_the_default_key_is_not_for_an_endpoint_with_a_key_header(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-provider")
    assert "header api-key" in Endpoint("http://host", headers={"api-key": "abc"}).key_hint()
    assert "of-another-provider" not in str(vars(Endpoint("http://host", headers={"api-key": "abc"})))
    assert "of-another-provider" in str(vars(Endpoint("http://host", headers={"X-Team": "evals"})))

"""What the tests of the endpoint client share."""

import pytest

from ralign.models import RetryPolicy, Sampling
from ralign.records import Message

KEY = "sk-test-5f0c9d1e7b"


@pytest.fixture
def messages() -> tuple[Message, ...]:
    return (Message(role="user", content="Which answer is better, A or B?"),)


@pytest.fixture
def sampling() -> Sampling:
    return Sampling(temperature=0.4, max_tokens=100)


@pytest.fixture
def quick() -> RetryPolicy:
    """As a user's patience, only shorter."""
    return RetryPolicy(
        deadline=5,
        try_timeout=0.4,
        connect_timeout=1,
        unreachable_after=0.2,
        first_wait=0.01,
        longest_wait=0.02,
    )


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY

import pytest

from ralign.errors import InputError
from ralign.runs.options import AnswerRewardOptions, JudgeOptions, flag
from ralign.serving.command import read_token
from ralign.serving.config import ServeConfig


@pytest.mark.parametrize(
    ("host", "beyond"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("10.0.0.7", True),
        ("::ffff:127.0.0.1", True),
        ("judge.example", True),
        ("localhost.example", True),
    ],
)
def test_beyond_loopback_there_is_no_serving_without_a_token(
    monkeypatch: pytest.MonkeyPatch, host: str, beyond: bool
) -> None:
    config = ServeConfig(judge=JudgeOptions(judge="m"), host=host)
    assert config.beyond_loopback is beyond
    for value in (None, "", "  "):
        if value is None:
            monkeypatch.delenv("RALIGN_SERVE_TOKEN", raising=False)
        else:
            monkeypatch.setenv("RALIGN_SERVE_TOKEN", value)
        if beyond:
            with pytest.raises(InputError, match="set RALIGN_SERVE_TOKEN to a token"):
                read_token(config)
        else:
            assert read_token(config) is None
    monkeypatch.setenv("RALIGN_SERVE_TOKEN", "open-sesame")
    assert read_token(config) == "open-sesame", "a token that is set counts on loopback too"


def test_a_token_that_no_header_can_hold_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RALIGN_SERVE_TOKEN", "open\nsesame")
    with pytest.raises(InputError) as caught:
        read_token(ServeConfig(judge=JudgeOptions(judge="m")))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"queue": 0}, "--queue"),
        ({"concurrency": 0}, "--concurrency"),
        ({"max_bytes": 0}, "--max-bytes"),
        ({"length_window": 0}, "--length-window"),
        ({"deadline": 0.0}, "--deadline"),
        ({"port": 70_000}, "--port"),
        ({"judge": JudgeOptions()}, "--judge"),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_flag(fields: dict, flag: str) -> None:
    with pytest.raises(InputError, match=flag):
        ServeConfig(**{"judge": JudgeOptions(judge="m"), **fields})


@pytest.mark.parametrize("name", ["length_coefficient", "format_penalty"])
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_penalty_that_is_none_is_refused_by_its_flag(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"^{flag(name)} is {value}, expected 0 or more"):
        AnswerRewardOptions(**{name: value})

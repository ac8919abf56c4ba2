import asyncio
import sys
from pathlib import Path

import pytest

from ralign.errors import CallFailed, EndpointRefused, InputError
from ralign.models import ModelSpec, Reply
from ralign.models.python import PythonFunction, load_python, open_python

RULES = """
VERSION = "2"
def judge(pair): return "text"
class Rules:
    kind = "rules"
    def __call__(self, pair, order): return f"{pair} {order}"
class Broken:
    def __init__(self): raise OSError("no table")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a command runs in; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "house_rules.py").write_text(RULES)
    return tmp_path


def function(body) -> PythonFunction:
    return PythonFunction("python:m:f", body, concurrency=2, deadline=5)


async def test_it_gets_as_many_arguments_as_it_takes() -> None:
    assert await function(lambda pair: pair).answer(("p", "ab", 0)) == Reply(text="p", model="python:m:f")
    assert (await function(lambda *about: " ".join(about)).answer(("p", "ab"))).text == "p ab"
    assert (await function(lambda pair, order, *, loud=True: order).answer(("p", "ab", 0))).text == "ab"


async def test_async_functions_are_waited_for_and_at_most_so_many_at_once() -> None:
    running = most = 0

    async def slow(pair: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return pair

    asked = function(slow)
    replies = await asyncio.gather(*(asked.answer((str(n),)) for n in range(5)))
    assert [reply.text for reply in replies] == ["0", "1", "2", "3", "4"]
    assert most == 2


async def test_what_is_raised_or_given_instead_is_a_failed_call_in_words() -> None:
    def raises(pair):
        return {"a": 1}[pair]

    failed = await function(raises).answer(("b",))
    assert isinstance(failed, CallFailed)
    assert str(failed) == "python:m:f raised KeyError: 'b'"
    failed = await function(lambda pair: 3).answer(("b",), (bool,))
    assert str(failed) == "python:m:f gave int, expected str or bool"


async def test_an_endpoint_of_an_ensemble_that_refuses_every_call_ends_the_run() -> None:
    async def refused(pair):
        raise EndpointRefused("no credit")

    with pytest.raises(EndpointRefused):
        await function(refused).answer(("b",))


async def test_a_call_that_hangs_ends_at_its_deadline() -> None:
    asked = PythonFunction("python:m:f", lambda pair: asyncio.Event().wait(), concurrency=1, deadline=0.01)
    assert "TimeoutError" in str(await asked.answer(("p",)))


async def test_a_class_is_called_once_and_what_it_gives_is_asked() -> None:
    opened = open_python("python:house_rules:Rules", concurrency=1, deadline=5)
    assert (await opened.answer(("p", "ab", 0))).text == "p ab"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("python:house_rules", "expected python:MODULE:NAME"),
        ("python:no_such_rules:judge", "there is no module 'no_such_rules', neither on Python's path nor in"),
        ("python:house_rules:jugde", "the module 'house_rules' has no 'jugde'"),
        ("python:house_rules:Rules.kind", "is str, expected a function or a chat model"),
        ("python:house_rules:Broken", "making one raised OSError: no table"),
        ("python:half_rules:judge", "importing 'half_rules' raised SyntaxError: "),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_one_line(folder: Path, name: str, complaint: str) -> None:
    (folder / "half_rules.py").write_text("def judge(:")
    with pytest.raises(InputError) as refused:
        open_python(name, concurrency=1, deadline=5)
    assert str(refused.value).startswith(f"{name}: ")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_its_version_is_the_modules_or_a_digest_of_its_source(folder: Path) -> None:
    assert load_python("python:house_rules:judge").version == "2"
    versions: set[str] = set()
    for name, body in (("one", "0"), ("two", "0"), ("three", "1")):
        (folder / f"{name}.py").write_text(f"def judge(pair): return {body}")
        versions.add(load_python(f"python:{name}:judge").version)
    assert len(versions) == 2


def test_it_has_no_address_and_takes_no_body() -> None:
    with pytest.raises(InputError, match=r"is a Python function, which has no URL, .* takes no --judge-body"):
        ModelSpec(name="python:m:f", url="http://localhost/v1", key_variable="KEY", body_flag="--judge-body")
    plugged = ModelSpec(name="python:m:f", url=None, key_variable="KEY")
    assert plugged.at("http://localhost/v1").url is None

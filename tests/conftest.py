"""What every test shares: repeatable properties, the program in this process, and no client session left open."""

import os
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import aiohttp
import pytest
from hypothesis import settings
from tests.program import KEY, Finished, Ralign

# The same examples every time and no deadline: a busy machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def ralign(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ralign:
    """`ralign ARGUMENTS...` in this process; a process of its own would import everything again each time."""
    from ralign.cli import app, main

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object, cwd: Path | None = None) -> Finished:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            # `main` leaves a recipe in the app, as its process is about to end.
            patch.setattr(app, "config", app.config)
            patch.chdir(cwd or Path.cwd())
            with pytest.raises(SystemExit) as ended:
                main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        return Finished(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session", autouse=True)
def sessions() -> Iterator[WeakKeyDictionary[aiohttp.ClientSession, str]]:
    """Every client session that is alive, with the test that opened it."""
    opened: WeakKeyDictionary[aiohttp.ClientSession, str] = WeakKeyDictionary()
    initialize = aiohttp.ClientSession.__init__

    def remember(session: aiohttp.ClientSession, *arguments: object, **options: object) -> None:
        initialize(session, *arguments, **options)  # pyright: ignore[reportArgumentType]
        opened[session] = os.environ.get("PYTEST_CURRENT_TEST", "no test").partition(" ")[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", remember)
        yield opened


@pytest.fixture(scope="module", autouse=True)
def no_session_stays_open(sessions: WeakKeyDictionary[aiohttp.ClientSession, str]) -> Iterator[None]:
    """A session that a module leaves open is an error there; at exit it would print after pytest's summary.

    One that is collected while open needs no check: it warns, and warnings are errors.
    """
    before = set(sessions)
    yield
    left = {
        session: test for session, test in sessions.items() if not session.closed and session not in before
    }
    if not left:
        return
    tests = ", ".join(sorted(set(left.values())))
    # Told once, here: each would warn again when it is collected, in whatever test runs then.
    for session in left:
        if session.connector is not None:
            session.detach()
    pytest.fail(f"{len(left)} client sessions left open, made in {tests}", pytrace=False)

"""A Python function in the place of a chat model, named `python:MODULE:NAME`: rules, verifiers, ensembles.

A function, plain or async, gets what a call is about, as many of these as it takes, and gives a text, which is read as
a model's reply would be, or what the text would have said:

| role                     | is called with             | gives                                   |
| ------------------------ | -------------------------- | --------------------------------------- |
| judge                    | pair, order, draw          | a text, or a `Judgment`                 |
| meta-judge               | pair, judgment, vote       | a text, true or false, a `MetaJudgment` |
| any other, as its `request` in the command's module | | a text                                  |

A class is called once, without arguments, and what it gives is asked. An object with a method `reply` is a `ChatModel`
and is sent the prompt. A plain function runs in the event loop: what waits for something should be async.
"""

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ralign.errors import CallFailed, InputError, RalignError
from ralign.models.model import PYTHON, Reply


class PythonObject(NamedTuple):
    """Object that a name means, and which version of it."""

    value: Any
    version: str
    """The module's `VERSION` where it has one, otherwise a digest of its source."""


def load_python(name: str) -> PythonObject:
    """Import the object that `python:MODULE:NAME` means; the folder the command runs in is searched last.

    Raises:
        InputError: there is no such module or object, or the module cannot be imported.
    """
    module_name, _, attribute = name.removeprefix(PYTHON).partition(":")
    if not module_name or not attribute:
        raise InputError(f"{name}: expected python:MODULE:NAME, as in python:my_rules:meta_judge")
    here = str(Path.cwd())
    # A console script does not search the folder it runs in. Last, so that no file there hides an installed package.
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module of the user's, which may raise anything
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(
                f"{name}: there is no module '{error.name}', neither on Python's path nor in {here}"
            ) from None
        raise InputError(f"{name}: importing '{module_name}' raised {_in_words(error)}") from None
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise InputError(f"{name}: the module '{module_name}' has no '{attribute}'")
        value = getattr(value, part)
    # Where it was defined: a package often only hands it on.
    home = sys.modules.get(getattr(value, "__module__", None) or "", module)
    version = getattr(home, "VERSION", None)
    if version is None:
        source = getattr(home, "__file__", None)
        version = sha256(Path(source).read_bytes()).hexdigest()[:16] if source else "unknown"
    return PythonObject(value, str(version))


def open_python(name: str, *, concurrency: int, deadline: float) -> Any:
    """Object behind a name: a `PythonFunction`, or a `ChatModel` where the object is one.

    Raises:
        InputError: see `load_python`; or the object cannot be called.
    """
    value = load_python(name).value
    if isinstance(value, type):
        try:
            value = value()
        except Exception as error:  # a class of the user's
            raise InputError(f"{name}: making one raised {_in_words(error)}") from None
    if hasattr(value, "reply"):
        return value
    if not callable(value):
        raise InputError(f"{name}: is {type(value).__name__}, expected a function or a chat model")
    return PythonFunction(name, value, concurrency=concurrency, deadline=deadline)


class PythonFunction:
    """A function that is asked instead of a chat model.

    Args:
        name: as the flag gives it.
        function: see the module.
        concurrency: calls of it in flight at most.
        deadline: seconds that one call may wait in all.
    """

    def __init__(self, name: str, function: Callable[..., Any], *, concurrency: int, deadline: float) -> None:
        self.name = name
        self._function = function
        self._takes = _positional_arguments(function)
        self._slots = asyncio.Semaphore(concurrency)
        self._deadline = deadline

    async def answer(self, about: Sequence[Any], records: tuple[type, ...] = ()) -> Any:
        """Call it: a `Reply`, one of the `records`, or a `CallFailed` that says what was raised or given instead."""
        try:
            async with self._slots, asyncio.timeout(self._deadline):
                value = self._function(*about[: self._takes])
                if inspect.isawaitable(value):
                    value = await value
        except CallFailed as error:
            return error
        # Of an ensemble's endpoint that refuses every call, say.
        except RalignError:
            raise
        # Like a model's outage: one row that a rule trips over must not lose the run, and a later session asks again.
        except Exception as error:
            return CallFailed(f"{self.name} raised {_in_words(error)}")
        if isinstance(value, str):
            return Reply(text=value, model=self.name)
        if isinstance(value, (Reply, CallFailed, *records)):
            return value
        expected = " or ".join(kind.__name__ for kind in (str, *records))
        return CallFailed(f"{self.name} gave {type(value).__name__}, expected {expected}")


def _positional_arguments(function: Callable[..., Any]) -> int | None:
    """How many arguments it takes by position; None: any number, or nobody can say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    return sum(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )


def _in_words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")

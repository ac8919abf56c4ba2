"""Everything ralign raises on purpose.

    RalignError                 caught by the command line: one line, no traceback, exit code 2
    ├── InputError              the user's mistake: a flag, a recipe, a file
    │   ├── BadRow              one row of a file; the message starts with file:line
    │   └── ConfigMismatch      a run directory that belongs to another configuration
    ├── RunLocked               another process writes to this run directory
    ├── WriteFailed             the disk is full or refuses a write
    ├── EndpointRefused         an endpoint that will refuse every call (401, 403, 404): the run stops
    │   └── EndpointDown        an endpoint that fails call after call, and may come back
    ├── MetaJudgeDown           the meta-judge fails, and training was not to wait, or waited in vain
    └── CallFailed              one call that failed for good after its retries: data, not an end

A model's failure is data: `CallFailed` is caught by the judge, which records `failure="call"`. A reply that
cannot be parsed raises nothing; it is recorded as `failure="parse"`.
"""

from typing import Literal


class RalignError(Exception):
    """Anything ralign raises on purpose. The message says where, what was found, and what to do."""


class InputError(RalignError):
    """The user's input is wrong: a flag, a recipe or a file."""


class BadRow(InputError):
    """One row of a file cannot be used: `file:line: what was found, what was expected`."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


class ConfigMismatch(InputError):
    """A run directory holds another configuration than the one asked for."""


class RunLocked(RalignError):
    """Another process is writing to this run directory."""


class WriteFailed(RalignError):
    """The disk is full or refuses a write. What the file held before is still there."""


class EndpointRefused(RalignError):
    """The endpoint will refuse every call of this run (wrong key, wrong model, wrong address)."""


class EndpointDown(EndpointRefused):
    """So many calls in a row failed that a run stops. The endpoint may come back; who can wait may catch this."""

    def __init__(self, message: str, *, last: str) -> None:
        super().__init__(message)
        self.last = last
        """How the last of the calls failed, without what a run makes of it."""


class MetaJudgeDown(RalignError):
    """Training cannot go on: the meta-judge that its reward needs gives no meta-judgments."""


class CallFailed(RalignError):
    """One call failed for good: its retries or its deadline are used up, or it was refused as malformed."""

    def __init__(self, message: str, *, reason: Literal["no_reply", "wrong_field"] = "no_reply") -> None:
        super().__init__(message)
        self.reason: Literal["no_reply", "wrong_field"] = reason
        """The kind of the failure; see `ralign.records.FailureReason`."""


def first_error(errors: BaseExceptionGroup[RalignError]) -> RalignError:
    """The first of the errors that tasks of one group raised, however deep the groups lie: one line for the user."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RalignError)
    return error

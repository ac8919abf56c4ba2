"""What the fixture `ralign` gives a test: the program run in this process."""

from collections.abc import Callable
from typing import NamedTuple

KEY = "sk-never-to-be-seen-0123456789"


class Finished(NamedTuple):
    """A command that has ended: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Ralign = Callable[..., Finished]
"""`ralign(*arguments, cwd=None)`: main's exit code and output for `ralign ARGUMENTS...`."""

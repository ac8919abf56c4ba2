"""A command's config, made from flags as the command line makes it."""

from typing import Any

from ralign.cli import app


def config_of(command: str, *arguments: str) -> Any:
    _, bound, _ = app.parse_args([command, *arguments], exit_on_error=False, print_error=False)
    return next(iter(bound.arguments.values()))

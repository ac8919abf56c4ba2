"""`config.toml` of a run directory: what was asked for, and the part of it that makes two runs the same run.

Comes in: a configuration and an identity. Goes out: the file, or a refusal that names the field that differs.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import tomli_w

from ralign.errors import ConfigMismatch, InputError
from ralign.files.atomic import write_atomically

_IDENTITY = "identity"


def check_fingerprint(
    directory: Path, config: Mapping[str, object], identity: Mapping[str, object], *, log: str
) -> None:
    """Write the configuration, or check that the directory belongs to the same run. Whoever asks holds its lock.

    Args:
        directory: the run directory.
        config: written as it is, without its Nones; must hold no secret.
        identity: what makes this run the same run.
        log: the name of a log that a run of this kind keeps there; one without a configuration is not taken over.

    Raises:
        ConfigMismatch: naming the field that differs, what is recorded and what was asked for.
        InputError: a configuration that cannot be read, or a log without one.
    """
    path = directory / "config.toml"
    wanted = {name: _as_text(value) for name, value in identity.items()}
    if path.exists():
        recorded = _read_identity(path)
        for name in sorted({*recorded, *wanted}):
            was, asked = recorded.get(name, ""), wanted.get(name, "")
            if was != asked:
                raise ConfigMismatch(
                    f"{path}: {name} is {was or 'none'} in this run, and {asked or 'none'} was asked for; "
                    "choose another --out"
                )
    elif (directory / log).exists():
        raise InputError(f"{directory}: holds {log} but no config.toml; choose another --out")
    document = {**_without_none(config), _IDENTITY: wanted}
    write_atomically(path, tomli_w.dumps(document).encode())


def _read_identity(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not TOML ({error}); choose another --out") from None
    recorded: object = document.get(_IDENTITY)
    if not isinstance(recorded, dict):
        raise InputError(f"{path}: has no [{_IDENTITY}] table; choose another --out")
    return {str(name): str(value) for name, value in cast("dict[object, object]", recorded).items()}


def _as_text(value: object) -> str:
    """TOML has no null; an absent value is the empty text, and every other value its Python spelling."""
    return "" if value is None else str(value)


def _without_none(value: Mapping[str, object]) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for name, item in value.items():
        if item is None:
            continue
        if isinstance(item, Mapping):
            cleaned[name] = _without_none(cast("Mapping[str, object]", item))
        elif isinstance(item, Path):
            cleaned[name] = str(item)
        elif isinstance(item, tuple):
            cleaned[name] = list(cast("tuple[object, ...]", item))
        else:
            cleaned[name] = item
    return cleaned

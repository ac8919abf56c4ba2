"""Data sets of the Hugging Face hub: `hf://datasets/OWNER/NAME[@REVISION]/[PATH or GLOB]` to local files.

Everything goes through huggingface_hub with its cache: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and
`HF_HUB_OFFLINE` mean what they mean there. Imported only where there is such a name: the library takes
0.2 s.
"""

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage]  (httpx's before hub 2.0, httpx2's since: name neither)
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ralign.errors import InputError

_NAME = re.compile(
    r"hf://datasets/(?P<repository>[^/@]+/[^/@]+)"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?"
    r"(?:/(?P<path>.*))?"
)
_LISTING_TIMEOUT_SECONDS = 30.0


class HubFile(NamedTuple):
    """One file of a data set, downloaded."""

    path: Path
    """In the hub library's cache."""
    name: str
    """`hf://datasets/...`, for messages."""
    repository: str
    """`OWNER/NAME`."""
    path_in_repository: str


def fetch(source: str, suffixes: Sequence[str], *, cache_dir: Path | None = None) -> list[HubFile]:
    """Download what a hub name means, in the order of the paths.

    Args:
        source: the name. Without a path, or with that of a folder: every file under it that ends in one of
            `suffixes`. In a glob, `*` stays within a folder and `**` spans folders.
        suffixes: how file names must end.
        cache_dir: where the files go; the library's own cache where None.

    Raises:
        InputError: no such name, data set, revision or file, no access, or no network; in one line.
    """
    match = _NAME.fullmatch(source)
    if match is None:
        raise InputError(f"{source}: expected hf://datasets/OWNER/NAME[@REVISION]/[PATH or GLOB]")
    repository, path = match["repository"], match["path"] or ""
    revision = unquote(match["revision"]) if match["revision"] else None
    # The library reads the variable when it is imported, and a test or a wrapper may set it later.
    endpoint = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    api = HfApi(endpoint=endpoint)
    try:
        chosen, reachable = _choose(api, repository, revision, path, tuple(suffixes))
        if not chosen:
            raise InputError(f"{source}: the data set has no such file that ends in {', '.join(suffixes)}")
        return [
            HubFile(
                path=Path(
                    api.hf_hub_download(
                        repository,
                        file,
                        repo_type="dataset",
                        revision=revision,
                        cache_dir=cache_dir,
                        local_files_only=not reachable,
                    )
                ),
                name=f"{source[: match.end('repository')]}{'@' + revision if revision else ''}/{file}",
                repository=repository,
                path_in_repository=file,
            )
            for file in chosen
        ]
    except (HTTPError, OSError, EntryNotFoundError, HFValidationError) as error:
        raise InputError(f"{source}: {_reason(error, endpoint)}") from error


def _choose(
    api: HfApi, repository: str, revision: str | None, path: str, suffixes: tuple[str, ...]
) -> tuple[list[str], bool]:
    """The paths in the repository that `path` means, and whether the hub can be asked for them."""
    try:
        info = api.dataset_info(repository, revision=revision, timeout=_LISTING_TIMEOUT_SECONDS)
    except (HTTPError, OfflineModeIsEnabled) as error:
        # The hub's own "no" is final; of a hub that cannot be reached, one named file may still be had.
        refused = isinstance(error, HfHubHTTPError) and error.response.status_code < 500
        is_one_file = path.endswith(suffixes) and not any(character in path for character in "*?[")
        if refused or not is_one_file:
            raise
        # It may be in the cache.
        return [path], False
    pattern = path.strip("/").split("/") if path.strip("/") else []
    files = [
        file
        for file in sorted(sibling.rfilename for sibling in info.siblings or [])
        if file.endswith(suffixes)
        and (_matches(file.split("/"), pattern) or _matches(file.split("/"), [*pattern, "**"]))
    ]
    return files, True


def _matches(path: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not path
    # `fnmatch` alone lets `*` span folders, which people's globs do not mean.
    if pattern[0] == "**":
        return any(_matches(path[skipped:], pattern[1:]) for skipped in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _reason(error: Exception, endpoint: str) -> str:
    # The order matters: most of these are kinds of those further down.
    match error:
        case GatedRepoError():
            return "the data set is gated: ask for access on its page, then set HF_TOKEN"
        case RepositoryNotFoundError():
            return f"no such data set at {endpoint}, or it is private and needs HF_TOKEN"
        case RevisionNotFoundError():
            return "the data set has no such revision"
        case OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set and the list of files is not cached: name one file, or unset it"
        case LocalEntryNotFoundError():
            return f"{endpoint} cannot be reached, and the file is not in the cache"
        case EntryNotFoundError():
            return "the data set has no such file"
        case HFValidationError():
            return str(error).splitlines()[0]
        case HfHubHTTPError():
            return f"{endpoint} answered {error.response.status_code}"
        case _:
            return f"{endpoint} cannot be reached ({type(error).__name__})"

"""The real loading code against a server on this machine that speaks the hub's protocol."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ralign.errors import InputError
from ralign.files import find_pairs_files, read_pairs

REPOSITORY = "colours/sky"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_a_token_of_the_tests"


def a_line(pair_id: str) -> bytes:
    row = {
        "id": pair_id,
        "conversations": [{"role": "user", "content": "Which colour is the sky?"}],
        "response_A": "Blue.",
        "response_B": "Green.",
        "gt_label": "A",
    }
    return json.dumps(row).encode() + b"\n"


def as_parquet(*lines: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([json.loads(line) for line in lines]), sink)
    return sink.getvalue().to_pybytes()


class Hub(ThreadingHTTPServer):
    """One data set, in two revisions; `requests` is what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        main = {
            "README.md": b"# Sky",
            "day.jsonl": a_line("d1") + a_line("d2"),
            "data/day.jsonl": a_line("e1"),
            "data/deep/night.parquet": as_parquet(a_line("n1"), a_line("n2")),
        }
        self.revisions = {"main": main, "v2/final": {"day.jsonl": a_line("v1")}}
        self.requests: list[tuple[str, str, str | None]] = []
        self.gated = False
        self.status: HTTPStatus | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def downloads(self) -> list[str]:
        return [path for method, path, _ in self.requests if method == "GET" and "/resolve/" in path]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.requests.append((self.command, path, self.headers["Authorization"]))
        information, resolve = f"/api/datasets/{REPOSITORY}", f"/datasets/{REPOSITORY}/resolve/"
        if self.server.status is not None:
            self.answer(self.server.status)
        elif path.startswith(information):
            self.information(unquote(path.removeprefix(information).removeprefix("/revision/")) or "main")
        elif path.startswith(resolve):
            revision, _, file = path.removeprefix(resolve).partition("/")
            self.file(unquote(revision), unquote(file))
        else:
            self.answer(HTTPStatus.NOT_FOUND, error="RepoNotFound")

    def information(self, revision: str) -> None:
        if revision not in self.server.revisions:
            return self.answer(HTTPStatus.NOT_FOUND, error="RevisionNotFound")
        siblings = [{"rfilename": file} for file in self.server.revisions[revision]]
        information = {"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "tags": []}
        return self.answer(HTTPStatus.OK, json.dumps(information).encode())

    def file(self, revision: str, file: str) -> None:
        if self.server.gated:
            return self.answer(HTTPStatus.FORBIDDEN, error="GatedRepo")
        if revision not in self.server.revisions:
            return self.answer(HTTPStatus.NOT_FOUND, error="RevisionNotFound")
        content = self.server.revisions[revision].get(file)
        if content is None:
            return self.answer(HTTPStatus.NOT_FOUND, error="EntryNotFound")
        return self.answer(HTTPStatus.OK, content)

    def answer(self, status: HTTPStatus, body: bytes = b"", *, error: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error is not None:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ids(source: str, cache_dir: Path) -> dict[str, list[str]]:
    """The ids of the pairs that the source means, by benchmark."""
    found: dict[str, list[str]] = {}
    for pair in read_pairs(find_pairs_files([source], cache_dir=cache_dir)):
        found.setdefault(pair.benchmark, []).append(pair.id)
    return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/day.jsonl", {"day": ["d1", "d2"]}),
        ("/data/deep/night.parquet", {"night": ["n1", "n2"]}),
        ("/*.jsonl", {"day": ["d1", "d2"]}),
        ("/data/*", {"day": ["e1"], "night": ["n1", "n2"]}),
        ("/data/*.jsonl", {"day": ["e1"]}),
        ("/**/*.parquet", {"night": ["n1", "n2"]}),
        ("/data/deep/", {"night": ["n1", "n2"]}),
        ("", {"data/day": ["e1"], "night": ["n1", "n2"], "sky/day": ["d1", "d2"]}),
        ("@v2%2Ffinal/day.jsonl", {"day": ["v1"]}),
        ("@v2%2Ffinal", {"day": ["v1"]}),
    ],
)
def test_a_hub_name_gives_the_pairs_of_its_files(
    hub: Hub, tmp_path: Path, path: str, expected: dict[str, list[str]]
):
    assert ids(f"hf://datasets/{REPOSITORY}{path}", tmp_path) == expected


def test_a_file_is_downloaded_once_with_the_token_and_named_as_on_the_hub(hub: Hub, tmp_path: Path):
    source = f"hf://datasets/{REPOSITORY}/data/*.jsonl"
    for _ in range(2):
        (file,) = find_pairs_files([source], cache_dir=tmp_path)
    assert file.name == f"hf://datasets/{REPOSITORY}/data/day.jsonl"
    assert file.path.is_relative_to(tmp_path)
    assert hub.downloads() == [f"/datasets/{REPOSITORY}/resolve/main/data/day.jsonl"]
    assert {token for _, _, token in hub.requests} == {f"Bearer {TOKEN}"}


def test_a_file_in_the_cache_is_found_without_a_network(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = f"hf://datasets/{REPOSITORY}/day.jsonl"
    assert ids(source, tmp_path) == {"day": ["d1", "d2"]}
    hub.status = HTTPStatus.BAD_GATEWAY
    assert ids(source, tmp_path) == {"day": ["d1", "d2"]}
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    assert ids(source, tmp_path) == {"day": ["d1", "d2"]}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("hf://datasets/colours/sea", "no such data set at {endpoint}, or it is private and needs HF_TOKEN"),
        (f"hf://datasets/{REPOSITORY}@v9", "the data set has no such revision"),
        (f"hf://datasets/{REPOSITORY}/noon.jsonl", "the data set has no such file"),
        (f"hf://datasets/{REPOSITORY}/*.parquet", "the data set has no such file that ends in .jsonl"),
        ("hf://datasets/colours", "expected hf://datasets/OWNER/NAME[@REVISION]/[PATH or GLOB]"),
        ("hf://models/colours/sky", "expected hf://datasets/OWNER/NAME[@REVISION]/[PATH or GLOB]"),
        ("hf://datasets/colours/s ky", "Repo id must"),
    ],
)
def test_a_name_that_means_nothing_on_the_hub_is_an_error_in_one_line(
    hub: Hub, tmp_path: Path, source: str, problem: str
):
    assert one_line(source, tmp_path).startswith(f"{source}: {problem.format(endpoint=hub.endpoint)}")


def test_a_gated_data_set_says_what_to_do(hub: Hub, tmp_path: Path):
    hub.gated = True
    assert "gated: ask for access" in one_line(f"hf://datasets/{REPOSITORY}", tmp_path)


def test_a_hub_that_fails_says_with_which_status(hub: Hub, tmp_path: Path):
    hub.status = HTTPStatus.INTERNAL_SERVER_ERROR
    assert one_line(f"hf://datasets/{REPOSITORY}", tmp_path).endswith(f"{hub.endpoint} answered 500")


@pytest.mark.parametrize("path", ["", "/day.jsonl"])
def test_no_network_is_an_error_in_one_line_and_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    start = time.monotonic()
    assert "http://127.0.0.1:9 cannot be reached" in one_line(f"hf://datasets/{REPOSITORY}{path}", tmp_path)
    assert time.monotonic() - start < 5  # the library's own retries take 23 s


def one_line(source: str, cache_dir: Path) -> str:
    with pytest.raises(InputError) as caught:
        find_pairs_files([source], cache_dir=cache_dir)
    message = str(caught.value)
    assert "\n" not in message
    assert TOKEN not in message  #
    return message


def test_the_environment_alone_decides_where_from_and_where_to(hub: Hub, tmp_path: Path):
    code = (
        "from ralign.files import find_pairs_files, read_pairs\n"
        f"print([p.id for p in read_pairs(find_pairs_files(['hf://datasets/{REPOSITORY}/*.jsonl']))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "['d1', 'd2']", done.stderr
    assert list(tmp_path.rglob("day.jsonl"))

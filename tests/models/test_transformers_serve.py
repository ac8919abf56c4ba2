"""A server that is not ours: `transformers serve` with a tiny model of random weights, made here."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.program import Ralign
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from ralign.files import write_pairs
from ralign.records import Message, PreferencePair

torch = pytest.importorskip("torch", reason="needs the extra local")
transformers = pytest.importorskip("transformers", reason="needs the extra local")
pytest.importorskip("openai", reason="transformers serve needs the package openai")
serve = pytest.importorskip("transformers.cli.serve", reason="needs transformers with its server")

pytestmark = pytest.mark.filterwarnings("default")  # of transformers and uvicorn

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "tiny"
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *specials]
    backend = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 8}
    config = transformers.Qwen3Config(
        vocab_size=len(alphabet),
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
        eos_token_id=alphabet.index("<|im_end|>"),
        pad_token_id=alphabet.index("<|endoftext|>"),
        **sizes,
    )
    transformers.Qwen3ForCausalLM(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve.Serve(force_model=str(model), host="127.0.0.1", port=port, device="cpu", non_blocking=True)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill_server()


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_judge_served_by_transformers_is_measured(
    ralign: Ralign, url: str, model: Path, tmp_path: Path
) -> None:
    """It babbles, and is read as what it is: answers that hold no verdict, none of them a failed call."""
    pairs = tmp_path / "pairs.jsonl"
    write_pairs(
        pairs,
        (
            PreferencePair(
                id=f"port-{number}",
                conversation=(Message(role="user", content="Which port is deeper?"),),
                response_a="The north one.",
                response_b="The south one.",
                label="A" if number % 2 else "B",
            )
            for number in range(3)
        ),
    )
    flags = ("--judge", model, "--judge-url", url, "--judge-max-tokens", "8", "--keep-going")
    done = ralign("bench", pairs, *flags, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["complete"]
    assert results["adapted_parameters"] == {}
    for record in records(tmp_path / "run/judgments.jsonl"):
        assert (record["failure"], record["finish_reason"]) == ("parse", "length")
        usage = record["usage"]
        assert isinstance(usage, dict)
        assert usage["prompt_tokens"] > 100
        assert usage["completion_tokens"] == 8


def test_answers_and_win_rate_go_through_it(ralign: Ralign, url: str, model: Path, tmp_path: Path) -> None:
    prompts = written(tmp_path / "prompts.jsonl", {"id": "p", "prompt": "How deep is the port?"})
    done = ralign(
        "answers", prompts, "--model", model, "--model-url", url, "--max-tokens", "8", "--draws-limit", "1",
        "--temperature", "0.5", "--out", tmp_path / "answers",
    )  # fmt: skip
    # Eight tokens are no answer of such a model: it is drawn, found cut off, and left out with its reason.
    assert done.returncode == 0, done.stderr
    assert [record["finish_reason"] for record in records(tmp_path / "answers/answers.jsonl")] == ["length"]

    ours = written(tmp_path / "ours.jsonl", {"id": "p", "prompt": "How deep?", "answer": "Four fathoms."})
    theirs = written(
        tmp_path / "theirs.jsonl", {"id": "p", "prompt": "How deep?", "reference_answer": "Deep."}
    )
    done = ralign(
        "winrate", ours, theirs, "--judge", model, "--judge-url", url, "--judge-max-tokens", "8",
        "--keep-going", "--out", tmp_path / "winrate",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path / "winrate/judgments.jsonl")) == 2

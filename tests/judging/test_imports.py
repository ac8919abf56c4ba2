"""The pure core starts without the libraries of the network, of Parquet and of the hub."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "package", ["ralign.judging", "ralign.metajudging", "ralign.rewards", "ralign.metrics"]
)
def test_the_pure_packages_bring_in_no_network_parquet_or_hub_library(package: str):
    code = f"import sys, {package}; print({{'aiohttp', 'huggingface_hub', 'pyarrow', 'torch'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

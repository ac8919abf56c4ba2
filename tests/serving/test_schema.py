"""What the OpenAPI page says holds: schemathesis calls the service with what fits it and with what does not."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.serving.judges import WordJudge, WordMetaJudge, service

TOKEN = "open-sesame"


@pytest.mark.parametrize(
    ("phases", "examples"),
    [("fuzzing", 8), pytest.param("examples,coverage,fuzzing,stateful", 300, marks=pytest.mark.slow)],
)
async def test_schemathesis_finds_nothing(tmp_path: Path, phases: str, examples: int) -> None:
    """Every check it has; its boundary cases (coverage) take it ten seconds more, and run with the slow ones."""
    async with service(WordJudge(), WordMetaJudge(), token=TOKEN) as url:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json", "--header",
            f"Authorization: Bearer {TOKEN}", "--max-examples", str(examples), "--seed", "7", "--no-color",
            "--generation-database", "none", "--phases", phases,
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()

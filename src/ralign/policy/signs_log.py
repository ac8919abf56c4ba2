"""`signs.jsonl` of a run directory: one line a step, what betrays a judge that is gamed."""

from pathlib import Path
from typing import Final

import orjson

from ralign.files import read_log, write_atomically
from ralign.rewards.reward_hacking import RewardHackingSigns

SIGNS: Final = "signs.jsonl"


def encode_signs(signs: RewardHackingSigns) -> bytes:
    """One line, without its newline."""
    return orjson.dumps(signs.as_dict())


def cut_signs_after(path: Path, step: int) -> None:
    """Drop the signs of later steps: a run that is taken up makes those steps again."""
    lines = [line.data for line in read_log(path, skip_torn=True)]
    kept = [line for line in lines if orjson.loads(line)["step"] <= step]
    if len(kept) < len(lines):
        write_atomically(path, b"".join(line + b"\n" for line in kept))

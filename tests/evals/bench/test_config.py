import inspect
from dataclasses import fields

import pytest

from ralign.errors import InputError
from ralign.evals.bench.config import BenchConfig


def test_what_is_measured_is_the_identity_and_how_fast_is_not() -> None:
    slow = BenchConfig(("pairs.jsonl",), judge="m", concurrency=1, judge_url="http://old:8000/v1")
    fast = BenchConfig(("copy.jsonl",), judge="m", concurrency=512, judge_url="http://new:8000/v1")
    assert slow.identity({}) == fast.identity({})
    for change in ({"seed": 1}, {"orders": "both"}, {"judge_temperature": 1.0}, {"judge": "n"}, {"draws": 2}):
        other = BenchConfig(("pairs.jsonl",), **{"judge": "m", **change})
        assert other.identity({}) != slow.identity({})


def test_every_field_says_what_it_is() -> None:
    """The string under a field is its help; cyclopts reads it from the source, so a test has to as well."""
    source = inspect.getsource(BenchConfig)
    for field in fields(BenchConfig):
        after = source.split(f"\n    {field.name}: ", 1)[1].split("\n", 2)[1]
        assert after.strip().startswith('"""'), field.name


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"judge": "m", "judgments": "f.jsonl"},
        {"judge": "m", "meta_judge": "n", "meta_judgments": "f.jsonl"},
        {"judge": "m", "meta_judge_url": "http://localhost"},
        {"judgments": "f.jsonl", "judge_url": "http://localhost"},
        {"judge": "m", "draws": 0},
        {"judge": "m", "meta_votes": 4},
        {"judge": "m", "limit": 0},
    ],
)
def test_what_cannot_be_run_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        BenchConfig(("pairs.jsonl",), **wrong)

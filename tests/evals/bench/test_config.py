import inspect
from dataclasses import fields

import pytest
from cyclopts import CycloptsError
from tests.flags import config_of

from ralign.errors import InputError
from ralign.evals.bench.config import BenchConfig
from ralign.runs.options import CallOptions, JudgeOptions, MetaJudgeOptions, as_table, fingerprint


def bench_config(pairs: str, *flags: str) -> BenchConfig:
    return config_of("bench", pairs, *flags)


def test_what_is_measured_is_the_fingerprint_and_how_fast_is_not() -> None:
    slow = bench_config(
        "pairs.jsonl", "--judge", "m", "--concurrency", "1", "--judge-url", "http://old:8000/v1"
    )
    fast = bench_config(
        "copy.jsonl", "--judge", "m", "--concurrency", "512", "--judge-url", "http://new:8000/v1"
    )
    assert fingerprint(slow) == fingerprint(fast)
    more = bench_config("pairs.jsonl", "--judge", "m", "--orders", "both", "--draws", "2", "--limit", "7")
    assert fingerprint(more) == fingerprint(slow)
    for change in ("--seed 1", "--judge-temperature 1.0", "--meta-judge n"):
        other = bench_config("pairs.jsonl", "--judge", "m", *change.split())
        assert fingerprint(other) != fingerprint(slow)
    assert fingerprint(bench_config("pairs.jsonl", "--judge", "n")) != fingerprint(slow)


def test_a_flag_of_a_group_leaves_the_others_of_the_group_at_their_defaults() -> None:
    config = bench_config("pairs.jsonl", "--judge", "m", "--deadline", "60")
    assert config.calls == CallOptions(deadline=60.0)
    assert config.judge == JudgeOptions(judge="m")


def test_config_toml_has_every_flag_by_its_own_name() -> None:
    table = as_table(bench_config("pairs.jsonl", "--judge", "m", "--judge-max-tokens", "9"))
    assert table["judge"] == "m"
    assert table["judge_max_tokens"] == 9
    assert table["concurrency"] == 64
    assert not [value for value in table.values() if isinstance(value, CallOptions | JudgeOptions)]


@pytest.mark.parametrize("group", [BenchConfig, CallOptions, JudgeOptions, MetaJudgeOptions])
def test_every_field_says_what_it_is(group: type) -> None:
    """The string under a field is its help; cyclopts reads it from the source, so a test has to as well."""
    source = "".join(inspect.getsource(each) for each in group.__mro__ if each is not object)
    for field in fields(group):
        if not field.name.startswith(("judge", "meta_judge", "calls")) or group is not BenchConfig:
            after = source.split(f"\n    {field.name}: ", 1)[1].split("\n", 2)[1]
            assert after.strip().startswith('"""'), field.name


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "--judge m --judgments f.jsonl",
        "--judge m --meta-judge n --meta-judgments f.jsonl",
        "--judge m --meta-judge-url http://localhost",
        "--judgments f.jsonl --judge-url http://localhost",
        "--judge m --draws 0",
        "--judge m --meta-votes 4",
        "--judge m --limit 0",
        "--judge m --concurrency 0",
    ],
)
def test_flags_that_cannot_be_run_are_refused(wrong: str) -> None:
    with pytest.raises((InputError, CycloptsError)):
        bench_config("pairs.jsonl", *wrong.split())

from tests.flags import config_of

from ralign.data.gold.config import CheckOptions, GoldCallOptions, GoldConfig, WriterOptions
from ralign.runs.options import as_table, fingerprint

WRITER = ("--writer", "strong", "--out", "runs/gold")


def gold_config(*flags: str) -> GoldConfig:
    return config_of("gold", "pairs.jsonl", *WRITER, *flags)


def test_what_is_written_is_the_fingerprint_and_where_how_fast_and_how_often_is_not() -> None:
    first = fingerprint(gold_config("--writer-url", "http://old:8000/v1", "--judge", "other"))
    moved = ("--writer-url", "http://new:8000/v1", "--judge", "other", "--judge-url", "http://third:8000/v1")
    assert fingerprint(gold_config(*moved, "--concurrency", "1", "--draws-limit", "9")) == first
    changes = (
        "--seed 1",
        "--rewrite",
        "--writer-temperature 1",
        "--judge-temperature 1",
        "--judge-max-tokens 9",
    )
    for change in changes:
        assert fingerprint(gold_config("--judge", "other", *change.split())) != first
    assert fingerprint(gold_config()) != first


def test_a_flag_of_a_group_leaves_the_others_of_the_group_at_the_defaults_of_gold() -> None:
    config = gold_config("--judge", "other", "--deadline", "60")
    assert config.writer == WriterOptions(writer="strong")
    assert config.judge == CheckOptions(judge="other")
    assert config.judge.judge_max_tokens == 16384
    assert config.calls == GoldCallOptions(deadline=60.0)
    assert config.calls.expected_completion_tokens == 1200


def test_config_toml_has_every_flag_by_its_own_name() -> None:
    table = as_table(gold_config("--judge", "other", "--judge-body", "{}"))
    assert (table["writer"], table["judge"], table["judge_body"]) == ("strong", "other", "{}")

"""Flags that commands share: which of them make two runs the same run, and which are refused."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import pytest

from ralign.errors import InputError
from ralign.judging import JUDGE_PROMPT, Prompt
from ralign.runs.options import (
    CallFlags,
    CallOptions,
    JudgeFlags,
    JudgeOptions,
    MetaJudgeOptions,
    as_table,
    at_least_one,
    fingerprint,
)

OTHER = {
    "concurrency": 1,
    "deadline": 5.0,
    "try_timeout": 1.0,
    "price": ("m=1/2",),
    "max_cost": 3.0,
    "expected_completion_tokens": 7,
    "keep_going": True,
    "ask_again": "parse",
    "dry_run": True,
    "batch_api": True,
    "batch_file": True,
    "batch_requests": 5,
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """A command's config."""

    seed: int = 0
    out: Path | None = None
    judge: JudgeFlags = JudgeOptions(judge="m")
    calls: CallFlags = CallOptions()

    OPERATIONAL: ClassVar = frozenset({"out"})


def test_no_field_of_how_calls_are_made_is_part_of_the_fingerprint() -> None:
    """A run may be resumed faster, slower, or with another price."""
    assert {field.name for field in fields(CallOptions)} == set(OTHER) == CallOptions.OPERATIONAL
    for name, value in OTHER.items():
        assert fingerprint(Config(calls=replace(CallOptions(), **{name: value}))) == fingerprint(Config())


@pytest.mark.parametrize(
    "change",
    [
        {"judge": "n"},
        {"judge_temperature": 1.0},
        {"judge_max_tokens": 5},
        {"judge_body": "{}"},
        {"judge_thought_tags": ("<a> </a>",)},
    ],
)
def test_who_is_asked_and_how_sampled_is_part_of_it(change: dict) -> None:
    assert fingerprint(Config(judge=JudgeOptions(**{"judge": "m", **change}))) != fingerprint(Config())


def test_where_a_model_is_asked_is_not_and_the_words_count_by_their_digest(tmp_path: Path) -> None:
    moved = JudgeOptions(
        judge="m",
        judge_url="http://other:8000/v1",
        judge_prompt=tmp_path,
        judge_key_variable="OTHER",
        judge_header=("api-key=OTHER",),
    )
    assert fingerprint(Config(judge=moved, out=tmp_path)) == fingerprint(Config())
    prompt = Prompt("{conversation}{response_a}{response_b}", JUDGE_PROMPT)
    found = fingerprint(Config(), {"judge": prompt}, pairs_digest="a0")
    assert found == {**fingerprint(Config()), "judge_prompt_digest": prompt.digest, "pairs_digest": "a0"}


@pytest.mark.parametrize("group", [CallOptions, JudgeOptions, MetaJudgeOptions])
def test_a_group_names_only_fields_that_it_has(group: type) -> None:
    assert {field.name for field in fields(group)} >= group.OPERATIONAL


def test_the_table_of_config_toml_is_flat_like_a_recipe() -> None:
    table = as_table(Config(seed=3))
    assert (table["seed"], table["judge"], table["concurrency"]) == (3, "m", 64)
    assert "calls" not in table


def test_a_count_below_one_is_refused_by_the_name_of_its_flag() -> None:
    at_least_one(limit=None, draws_limit=1)
    with pytest.raises(InputError, match=r"^--draws-limit is 0, expected 1 or more$"):
        at_least_one(limit=None, draws_limit=0)
    with pytest.raises(InputError, match=r"^--concurrency is 0"):
        CallOptions(concurrency=0)


def test_an_address_without_a_model_is_refused() -> None:
    with pytest.raises(InputError, match="--judge-url needs --judge MODEL"):
        JudgeOptions(judge_url="http://localhost:8000/v1")
    with pytest.raises(InputError, match="--meta-judge-url needs --meta-judge MODEL"):
        MetaJudgeOptions(meta_judge_url="http://localhost:8000/v1")
    with pytest.raises(InputError, match="give --judge MODEL"):
        _ = JudgeOptions().spec


def test_a_meta_judge_is_at_the_judges_address_unless_it_has_its_own() -> None:
    assert MetaJudgeOptions(meta_judge="n").spec("http://judge/v1").url == "http://judge/v1"
    apart = MetaJudgeOptions(meta_judge="n", meta_judge_url="http://meta/v1")
    assert apart.spec("http://judge/v1").url == "http://meta/v1"

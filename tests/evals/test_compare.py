"""Two run directories, compared."""

from pathlib import Path

import pytest
from tests.evals.bench.fakes import TableJudge, TableMetaJudge, make_pair

from ralign.errors import InputError
from ralign.evals.bench.plan import bench
from ralign.evals.compare import compare_runs

PAIRS = [make_pair(f"lock-{number}", "A") for number in range(8)]


async def run(write, out: Path, verdicts: str, pairs=PAIRS, orders=("ab",)) -> Path:
    """`verdicts` has a letter a pair."""
    table = {(pair.id, order): said for pair, said in zip(pairs, verdicts, strict=True) for order in orders}
    await bench(write(pairs), TableJudge(table), TableMetaJudge({"lock-0": False}), out, orders=orders)
    return out


async def test_differences_are_paired_and_mcnemar_counts_the_discordant_pairs(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAABAAAB")
    compared = compare_runs(first, second)
    harbour = compared.benchmarks["harbour"]
    assert harbour.pairs == 8
    assert harbour.difference.label_accuracy.value == pytest.approx(2 / 8)
    assert (harbour.mcnemar.more_right_in_first, harbour.mcnemar.more_right_in_second) == (1, 3)
    assert harbour.mcnemar.p_value == pytest.approx(0.625)  # two-sided binomial, 1 of 4
    assert harbour.first.spurious_correctness.value == pytest.approx(1 / 4)


async def test_pairs_of_one_run_alone_are_left_out_and_counted(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAAB", PAIRS[:4])
    compared = compare_runs(first, second)
    assert compared.benchmarks["harbour"].pairs == 4
    assert (compared.only_in_first, compared.only_in_second) == (4, 0)


async def test_one_order_can_be_compared_with_both(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAAABBBB", orders=("ab", "ba"))
    assert compare_runs(first, second).benchmarks["harbour"].difference.label_accuracy.value == 0


async def test_a_label_that_changed_and_a_directory_that_is_none_are_refused(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    relabelled = [make_pair("lock-0", "B"), *PAIRS[1:]]
    second = await run(write, tmp_path / "second", "AAAABBBB", relabelled)
    with pytest.raises(InputError, match=r"pair 'lock-0' of 'harbour' has another label"):
        compare_runs(first, second)
    with pytest.raises(InputError, match=r"has no scores\.jsonl"):
        compare_runs(first, tmp_path)

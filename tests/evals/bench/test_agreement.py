"""Two meta-judges on the same judgments."""

from pathlib import Path

import pytest
from tests.evals.bench.fakes import TableJudge, TableMetaJudge, make_pair

from ralign.errors import InputError
from ralign.evals.bench.agreement import agreement_of_runs
from ralign.evals.bench.plan import bench
from ralign.records import Failure

PAIRS = [make_pair(f"lock-{number}", "A") for number in range(6)]


async def run(write, out: Path, aligned: dict[str, bool | Failure], pairs=PAIRS) -> Path:
    judge = TableJudge({(pair.id, "ab"): "A" for pair in pairs})
    await bench(write(pairs), judge, TableMetaJudge(aligned), out)
    return out


async def test_the_second_meta_judge_is_compared_on_what_both_were_asked(write, tmp_path: Path) -> None:
    """The second has the last four pairs alone: it agrees on lock-2, misses lock-3, invents lock-4, fails on lock-5."""
    first = await run(write, tmp_path / "strong", {"lock-0": False, "lock-4": False})
    second = await run(write, tmp_path / "open", {"lock-3": False, "lock-5": "parse"}, PAIRS[2:])
    found = agreement_of_runs(first, second)
    counts = (
        found.both_aligned,
        found.only_decided_aligned,
        found.only_reference_aligned,
        found.both_misaligned,
    )
    assert counts == (1, 1, 1, 0)
    assert found.undecided == 1
    assert found.measures.agreement is not None
    assert found.measures.agreement.value == pytest.approx(1 / 3)


async def test_what_the_reference_failed_on_is_no_reference(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "strong", {"lock-0": "call", "lock-1": "parse"})
    second = await run(write, tmp_path / "open", {})
    assert agreement_of_runs(first, second).both_aligned == 4


async def test_runs_without_a_judgment_in_common_are_refused(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "strong", {}, PAIRS[:2])
    second = await run(write, tmp_path / "open", {}, PAIRS[2:])
    with pytest.raises(InputError, match="no meta-judged judgment in common"):
        agreement_of_runs(first, second)
    with pytest.raises(InputError, match=r"none: has no scores\.jsonl"):
        agreement_of_runs(tmp_path / "none", second)

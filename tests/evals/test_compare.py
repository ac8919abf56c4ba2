"""Run directories, compared with the first of them."""

import json
from pathlib import Path

import pytest
from tests.evals.bench.fakes import TableJudge, TableMetaJudge, make_pair

from ralign.errors import InputError
from ralign.evals.bench.plan import bench
from ralign.evals.compare import compare_runs, distinguishing_names
from ralign.files import PairSource, find_pairs_files
from ralign.judging import RecordedJudge
from ralign.metajudging import RecordedMetaJudge

PAIRS = [make_pair(f"lock-{number}", "A") for number in range(8)]
RECORDED = Path(__file__).parents[2] / "examples" / "recorded"


async def run(write, out: Path, verdicts: str, pairs=PAIRS, orders=("ab",), meta=None) -> Path:
    """`verdicts` has a letter a pair; `c` is a call that failed."""
    said = {"A": "A", "B": "B", "c": "call"}
    table = {
        (pair.id, order): said[one] for pair, one in zip(pairs, verdicts, strict=True) for order in orders
    }
    judge, meta_judge = TableJudge(table), TableMetaJudge(meta or {"lock-0": False})
    await bench(write(pairs), judge, meta_judge, out, orders=orders)
    return out


async def test_differences_are_paired_and_mcnemar_counts_the_discordant_pairs(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAABAAAB")
    found = compare_runs([first, second])
    harbour = found.benchmarks["harbour"].whole
    (other,) = harbour.others
    assert found.names == ("first", "second")
    assert (harbour.pairs, harbour.prompts) == (8, 8)
    assert other.difference.label_accuracy.value == pytest.approx(2 / 8)
    assert other.tests.label_accuracy.p_value == pytest.approx(0.625)  # two-sided binomial, 1 of 4
    assert harbour.first.spurious_correctness.value == pytest.approx(1 / 4)
    assert found.notes == ()


async def test_the_readmes_two_judges_differ_as_the_reference_says(tmp_path: Path) -> None:
    runs = []
    for name in ("hasty", "careful"):
        pairs = PairSource(find_pairs_files([str(RECORDED / "pairs.jsonl")]))
        judge = RecordedJudge(RECORDED / f"{name}.judgments.jsonl").judge
        meta_judge = RecordedMetaJudge(RECORDED / f"{name}.meta_judgments.jsonl").meta_judge
        runs.append(tmp_path / name)

        class Judge:
            def __init__(self, judge, meta_judge) -> None:
                self.judge, self.meta_judge = judge, meta_judge

        both = Judge(judge, meta_judge)
        await bench(pairs, both, both, runs[-1])
    (benchmark,) = compare_runs(runs).benchmarks.values()
    difference = benchmark.whole.others[0].difference
    assert difference.label_accuracy == pytest.approx((0.125, -0.2279, 0.4587), abs=5e-5)
    assert difference.spurious_correctness == pytest.approx((-0.5238, -0.7878, -0.0027), abs=5e-5)
    assert difference.fidelity_score == pytest.approx((0.5, -0.0216, 0.7502), abs=5e-5)


async def test_pairs_of_one_run_alone_are_left_out_and_counted(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAAB", PAIRS[:4])
    found = compare_runs([first, second])
    assert found.benchmarks["harbour"].whole.pairs == 4
    assert found.notes == ("4 pairs of first are not in every run and were left out.",)


async def test_an_unfinished_run_is_said_to_be_and_its_open_pairs_count_for_nobody(
    write, tmp_path: Path
) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAccBBBB")
    found = compare_runs([first, second])
    assert found.notes == ("second is unfinished: 2 judgments are owed.",)
    assert (found.benchmarks["harbour"].whole.pairs, found.benchmarks["harbour"].whole.left_out) == (6, 2)


async def test_other_orders_can_be_compared_and_are_said(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    second = await run(write, tmp_path / "second", "AAAABBBB", orders=("ab", "ba"))
    found = compare_runs([first, second])
    (other,) = found.benchmarks["harbour"].whole.others
    assert other.difference.label_accuracy.value == 0
    assert other.tests.label_accuracy.name == "sign-flip permutation, exact"
    assert found.notes == ("The runs differ in orders: first ab, second ab+ba.",)


async def test_several_runs_are_compared_with_the_first_by_subset_too(write, tmp_path: Path) -> None:
    pairs = [
        make_pair(f"lock-{number}", "A", subset="tides" if number < 3 else "bells") for number in range(8)
    ]
    runs = [
        await run(write, tmp_path / name / "bench", verdicts, pairs)
        for name, verdicts in (("base", "AAAABBBB"), ("one", "AAABAAAB"), ("two", "AAAAAAAA"))
    ]
    found = compare_runs(runs)
    assert found.names == ("base", "one", "two")
    harbour = found.benchmarks["harbour"]
    assert [other.difference.label_accuracy.value for other in harbour.whole.others] == pytest.approx(
        [0.25, 0.5]
    )
    assert {name: each.pairs for name, each in harbour.subsets.items()} == {"tides": 3, "bells": 5}
    assert harbour.subsets["bells"].others[1].difference.label_accuracy.value == pytest.approx(4 / 5)
    tests = [other.tests.label_accuracy for other in harbour.whole.others]
    assert [test.adjusted for test in tests] == pytest.approx([0.625, 0.25])
    document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert document["runs"] == ["base", "one", "two"]
    others = document["benchmarks"]["harbour"]["subsets"]["bells"]["others"]
    assert [other["run"] for other in others] == ["one", "two"]
    assert others[0]["tests"]["label_accuracy"]["name"] == "McNemar exact"
    assert others[0]["shown_by"]["label_accuracy"] > 0.3


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/hasty", "runs/careful"], ["hasty", "careful"]),
        (["lab/seed-0/a/bench", "lab/seed-0/b/bench"], ["a", "b"]),
        (["lab/seed-0/a/bench", "lab/seed-1/a/bench"], ["seed-0", "seed-1"]),
        (["x/1/a", "y/1/b", "z/2/a"], ["1/a", "1/b", "2/a"]),
    ],
)
def test_runs_are_called_by_what_tells_them_apart(paths: list[str], names: list[str]) -> None:
    assert distinguishing_names(list(map(Path, paths))) == names


async def test_runs_that_cannot_be_compared_are_refused(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAABBBB")
    relabelled = [make_pair("lock-0", "B"), *PAIRS[1:]]
    second = await run(write, tmp_path / "second", "AAAABBBB", relabelled)
    with pytest.raises(InputError, match=r"pair 'lock-0' of 'harbour' has another label"):
        compare_runs([first, second])
    with pytest.raises(InputError, match=r"has no scores\.jsonl"):
        compare_runs([first, tmp_path])
    with pytest.raises(InputError, match="is given twice"):
        compare_runs([first, first])
    with pytest.raises(InputError, match="1 run given, expected two or more"):
        compare_runs([first])
    (second / "results.json").write_text("[]")
    with pytest.raises(InputError, match="is not what `ralign bench` wrote"):
        compare_runs([first, second])


def label(out: Path, misaligned: set[str]) -> None:
    """Labels of every right verdict of a run, as `ralign bench --labels` leaves them."""
    scores = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    rows = [
        {
            "pair_id": row["pair_id"],
            "benchmark": row["benchmark"],
            "aligned": row["pair_id"] not in misaligned,
        }
        for row in scores
        if row["aligned"] is not None
    ]
    (out / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


async def test_corrected_measures_differ_by_each_runs_own_labels(write, tmp_path: Path) -> None:
    """Raw, S-Corr is 1/8 and 2/8; people call 3 of 8 misaligned in the first, 2 of 8 in the second."""
    first = await run(write, tmp_path / "first", "AAAAAAAA")
    second = await run(write, tmp_path / "second", "AAAAAAAA", meta={"lock-0": False, "lock-1": False})
    label(first, {"lock-0", "lock-6", "lock-7"})
    label(second, {"lock-0", "lock-7"})
    found = compare_runs([first, second]).benchmarks["harbour"].corrected
    one, two = found["runs"]
    assert one["spurious_correctness"]["value"] == pytest.approx(3 / 8)
    # .25 x 1/2 + .75 x 1/6.
    assert two["spurious_correctness"]["value"] == pytest.approx(0.25)
    assert two["difference"]["spurious_correctness"]["value"] == pytest.approx(-1 / 8)
    assert two["difference"]["fidelity_score"]["value"] == pytest.approx(1 / 8)
    for difference in two["difference"].values():
        assert difference["low"] < difference["value"] < difference["high"]
    assert compare_runs([first, second]).benchmarks["harbour"].corrected == found


async def test_a_run_without_labels_has_no_corrected_difference(write, tmp_path: Path) -> None:
    first = await run(write, tmp_path / "first", "AAAAAAAA")
    second = await run(write, tmp_path / "second", "AAAAAAAA")
    assert compare_runs([first, second]).benchmarks["harbour"].corrected is None
    label(first, {"lock-0"})
    one, two = compare_runs([first, second]).benchmarks["harbour"].corrected["runs"]
    assert one["spurious_correctness"] is not None
    assert two["refused"] is not None
    assert two["difference"] == {"spurious_correctness": None, "fidelity_score": None}


async def test_corrected_measures_are_of_the_pairs_that_all_runs_answered(write, tmp_path: Path) -> None:
    """lock-7 was never answered in the second: people's label of it in the first does not count."""
    first = await run(write, tmp_path / "first", "AAAAAAAA")
    second = await run(write, tmp_path / "second", "AAAAAAAc")
    label(first, {"lock-0", "lock-7"})
    one, _ = compare_runs([first, second]).benchmarks["harbour"].corrected["runs"]
    assert sum(one["confusion"].values()) == 7
    assert one["spurious_correctness"]["value"] == pytest.approx(1 / 7)

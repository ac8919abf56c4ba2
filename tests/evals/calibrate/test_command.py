"""`ralign calibrate`: decisions from a column, from runs, and asked for; the real labels of two public sets."""

import asyncio
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.evals.bench.fakes import TableJudge, TableMetaJudge, make_pair
from tests.flags import config_of
from tests.program import Ralign

from ralign.evals.bench.plan import bench
from ralign.evals.calibrate.command import run_calibrate
from ralign.files import write_pairs
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer
from ralign.records import Failure

SHARED = Path(__file__).parents[4] / "shared/data"
MR_GSM8K = SHARED / "mr_gsm8k/rationale_alignment.jsonl"
POINTS = SHARED / "metacritique/point_alignment.jsonl"
without_shared_data = pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not there")
CONFUSION = (
    "true_positives",
    "false_positives",
    "false_negatives",
    "true_negatives",
    "undecided",
    "not_asked",
)
PAIRS = [make_pair(f"lock-{number}", "A") for number in range(6)]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def measured(ralign: Ralign, *arguments: object) -> dict[str, Any]:
    done = ralign("calibrate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def confusion(of: dict[str, Any]) -> tuple[int, ...]:
    return tuple(of[name] for name in CONFUSION)


def run(write, out: Path, aligned: dict[object, bool | Failure], pairs=PAIRS, votes: int = 1) -> Path:
    judge = TableJudge({(pair.id, "ab"): "A" for pair in pairs})
    asyncio.run(bench(write(pairs), judge, TableMetaJudge(aligned), out, meta_votes=votes))
    return out


@without_shared_data
def test_the_real_meta_judge_agrees_with_people_as_its_data_says(ralign: Ralign) -> None:
    """The figures of the data's own page; `- Correct` and `[Correct]` are read as a run would read them."""
    document = measured(ralign, MR_GSM8K, "--recorded", "meta_decision")
    (found,) = document["meta_judges"]
    assert confusion(found) == (317, 129, 48, 357, 0, 0)
    assert found["agreement"]["value"] == pytest.approx(0.792, abs=5e-4)
    assert found["kappa"]["value"] == pytest.approx(0.587, abs=5e-4)
    assert found["f1"]["value"] == pytest.approx(0.782, abs=5e-4)
    assert (document["judgments"], document["prompts"]) == (851, 550)


@without_shared_data
def test_whole_answers_are_read_like_decisions(ralign: Ralign) -> None:
    document = measured(ralign, MR_GSM8K, "--recorded", "meta_text")
    assert confusion(document["meta_judges"][0]) == (317, 129, 48, 357, 0, 0)


@without_shared_data
def test_the_points_of_metacritique_are_all_read(ralign: Ralign) -> None:
    """Against itself people's column has no error: this is about the count of points and of those covered."""
    column = "human_gold_point_covered"
    flags = ("--label-column", column, "--recorded", column, "--by", "author")
    document = measured(ralign, POINTS, *flags)
    assert confusion(document["meta_judges"][0]) == (1090, 0, 0, 1016, 0, 0)
    assert document["unit"] == "gold point"
    by_author = document["meta_judges"][0]["by"]["author"]
    assert sum(each["true_positives"] for each in by_author.values()) == 1090


def test_several_columns_are_ranked_and_held_against_each_other(ralign: Ralign, tmp_path: Path) -> None:
    """By hand, people: 1 1 1 0 0 0. `good` errs on the last, `noisy` on the last two, `silent` decides two."""
    said = zip(
        (True, True, True, False, False, False),
        ("Correct", "**Correct**", "- Correct", "Wrong", "[Incorrect]", "VERDICT: Correct"),
        (True, True, True, False, True, True),
        ("yes", "no", "", "maybe", None, "no idea"),
        strict=True,
    )
    rows = [
        {
            "id": str(at),
            "aligned": label,
            "judge": "xy"[at % 2],
            "good": good,
            "noisy": noisy,
            "silent": silent,
        }
        for at, (label, good, noisy, silent) in enumerate(said)
    ]
    path = write_rows(tmp_path / "labels.jsonl", rows)
    document = measured(
        ralign, path, *(word for name in ("noisy", "silent", "good") for word in ("--recorded", name))
    )
    ranked = {each["name"]: each for each in document["meta_judges"]}
    assert list(ranked) == ["good", "majority of 3", "noisy", "silent"]
    assert confusion(ranked["good"]) == (3, 1, 0, 2, 0, 0)
    assert confusion(ranked["noisy"]) == (3, 2, 0, 1, 0, 0)
    # On the fifth the two that decide differ: a tie is no decision.
    assert confusion(ranked["majority of 3"]) == (3, 1, 0, 1, 1, 0)
    assert confusion(ranked["silent"]) == (1, 0, 1, 0, 4, 0)
    assert confusion({**ranked["good"]["by"]["judge"]["x"], "not_asked": 0}) == (2, 0, 0, 1, 0, 0)
    assert [each["decided_by_both"] for each in document["between"]] == [2, 6, 2]
    # On the fifth the first and the third differ, on the last both err.
    assert document["between"][1]["agreement"]["value"] == pytest.approx(5 / 6)
    shown = ralign("calibrate", path, "--recorded", "good", "--recorded", "noisy").stdout
    assert "By judge" in shown
    assert "Between meta-judges" in shown


def test_a_run_is_measured_by_labels_of_its_judgments(write, tmp_path: Path, ralign: Ralign) -> None:
    """It agrees on lock-0, misses lock-1, calls lock-2 aligned that is not, fails on lock-3; lock-9 it never saw."""
    out = run(write, tmp_path / "run", {"lock-1": False, "lock-3": "parse"})
    labels = {"lock-0": True, "lock-1": True, "lock-2": False, "lock-3": True, "lock-9": True, "lock-4": None}
    rows = [{"pair_id": name, "aligned": label} for name, label in labels.items()]
    document = measured(ralign, write_rows(tmp_path / "labels.jsonl", rows), "--runs", out)
    assert confusion(document["meta_judges"][0]) == (1, 1, 1, 0, 1, 1)
    assert document["unlabelled"] == 1


def test_another_meta_judge_may_stand_for_people(write, tmp_path: Path, ralign: Ralign) -> None:
    """As the paper picks its own: the second was asked about four pairs, the reference failed on lock-1."""
    strong = run(write, tmp_path / "strong", {"lock-0": False, "lock-4": False, "lock-1": "call"})
    some = run(write, tmp_path / "some", {"lock-3": False, "lock-5": "parse"}, PAIRS[2:])
    same = run(write, tmp_path / "same", {"lock-0": False, "lock-4": False})
    document = measured(ralign, "--runs", some, "--runs", same, "--against", strong)
    assert [each["name"] for each in document["meta_judges"]] == ["same", "some"]
    assert confusion(document["meta_judges"][0]) == (3, 0, 0, 2, 0, 0)
    assert confusion(document["meta_judges"][1]) == (1, 1, 1, 0, 1, 1)
    assert confusion(document["meta_judges"][1]["by"]["subset"]["tides"] | {"not_asked": 1}) == (
        1,
        1,
        1,
        0,
        1,
        1,
    )


def test_votes_that_err_together_are_worth_little(write, tmp_path: Path, ralign: Ralign) -> None:
    """Three votes; two always alike and wrong on lock-1, the third wrong on lock-2 besides."""
    wrong = {("lock-1", "ab", vote): False for vote in range(3)} | {("lock-2", "ab", 2): False}
    out = run(write, tmp_path / "run", wrong, votes=3)
    path = write_rows(tmp_path / "labels.jsonl", [{"pair_id": pair.id, "aligned": True} for pair in PAIRS])
    votes = measured(ralign, path, "--runs", out)["meta_judges"][0]["votes"]
    assert votes["agreement"]["value"] == pytest.approx(16 / 18)
    # Errors 1 of 6 and 2 of 6, one in common: correlation (1/6 - 1/18) / sqrt(5/36 * 8/36).
    rho = (1 + 2 * (1 / 9) / (5 / 36 * 8 / 36) ** 0.5) / 3
    assert votes["worth"]["error_correlation"] == pytest.approx(rho)
    assert votes["worth"]["effective_votes"] == pytest.approx(3 / (1 + 2 * rho))


def test_labels_of_another_judges_rationales_are_refused(write, tmp_path: Path, ralign: Ralign) -> None:
    out = run(write, tmp_path / "run", {})
    rows = [{"pair_id": "lock-0", "aligned": True, "rationale": "The hour  decides.\r\n"}]
    path = write_rows(tmp_path / "labels.jsonl", rows)
    assert measured(ralign, path, "--runs", out)["meta_judges"][0]["true_positives"] == 1
    write_rows(path, [{**rows[0], "rationale": "It is longer."}])
    done = ralign("calibrate", path, "--runs", out)
    assert done.returncode == 2
    assert "is not the labelled one" in done.stderr


def test_single_points_are_matched_by_their_text(write, tmp_path: Path, ralign: Ralign) -> None:
    """Of four labelled points the model lists three, one in other words: that one and the fourth are undecided."""
    out = run(write, tmp_path / "run", {})
    said = [("It names the hour.", True), ("B  is VAGUE", True), ("Something else", True)]
    points = [{"text": text, "stated": stated} for text, stated in said]
    meta = {"pair_id": "lock-0", "benchmark": "harbour", "aligned": True, "failure": None, "points": points}
    write_rows(out / "meta_judgments.jsonl", [meta])
    row = {
        "pair_id": "lock-0",
        "covered": [True, False, True, True],
        "gold_points": ["it names the hour.", "B is vague", "A is dated", "A is short"],
        "listed": [{"text": "…", "stated": stated} for stated in (True, False, False, True)],
    }
    path = write_rows(tmp_path / "labels.jsonl", [row])
    flags = ("--label-column", "covered", "--runs", out, "--recorded", "listed")
    found = {each["name"]: confusion(each) for each in measured(ralign, path, *flags)["meta_judges"]}
    assert found == {"run": (1, 1, 0, 0, 2, 0), "listed": (2, 0, 1, 1, 0, 0)}


def labelled_row(name: str, *, aligned: bool) -> dict[str, Any]:
    return {
        "pair_id": name,
        "benchmark": "harbour",
        "conversations": [{"role": "user", "content": f"When is high water at {name}?"}],
        "response_A": "At six.",
        "response_B": "In the evening.",
        "gt_label": "A",
        "gold_rationale": "A names the hour.",
        "rationale": f"The hour decides at {name}.",
        "judge": "hasty",
        "aligned": aligned,
    }


def live_flags(path: Path, url: str, out: Path) -> tuple[object, ...]:
    return (path, "--meta-judge", "meta", "--meta-judge-url", url, "--meta-votes", 3, "--out", out)


async def test_a_live_meta_judge_is_asked_once_about_each_judgment_and_resumed(tmp_path: Path) -> None:
    def answer(request: ChatRequest) -> str:
        return f"VERDICT: {'Incorrect' if 'at lock-1.' in str(request.fields['messages']) else 'Correct'}"

    rows = [labelled_row("lock-0", aligned=True), labelled_row("lock-1", aligned=True)]
    path = write_rows(tmp_path / "labels.jsonl", rows)
    out = tmp_path / "out"
    async with ChatServer(answer=answer) as server:
        flags = [str(each) for each in live_flags(path, server.url, out)]
        console = Console(file=StringIO())
        assert (
            await run_calibrate(config_of("calibrate", *flags, "--dry-run"), lambda name: None, console)
            is None
        )
        assert server.arrived == 0
        done = await run_calibrate(config_of("calibrate", *flags), lambda name: None, console)
        assert done is not None
        assert done.complete
        assert server.arrived == 6
        # A label that was mended costs nothing: the meta-judge never sees it.
        write_rows(path, [rows[0], {**rows[1], "aligned": False}])
        done = await run_calibrate(config_of("calibrate", *flags), lambda name: None, console)
        assert done is not None
        assert server.arrived == 6
    (found,) = done.document["meta_judges"]
    assert confusion(found) == (1, 0, 0, 1, 0, 0)
    assert found["fingerprint"]["meta_judge"] == "meta"
    assert found["fingerprint"]["judges"] == ["hasty"]
    assert found["votes"]["agreement"]["value"] == 1.0
    assert json.loads((out / "results.json").read_text())["meta_judges"] == [found]


@pytest.mark.parametrize(
    ("rows", "flags", "says"),
    [
        (
            [{"id": "a"}],
            ["--recorded", "x"],
            "no column aligned or human_aligned; --label-column names people's",
        ),
        (
            [{"id": "a", "aligned": None, "x": True}],
            ["--recorded", "x"],
            "the column aligned is empty in every row",
        ),
        (
            [{"id": "a", "aligned": "perhaps"}],
            ["--recorded", "x"],
            "aligned: 'perhaps' says neither aligned nor",
        ),
        (
            [{"id": "a", "aligned": True}],
            ["--recorded", "x"],
            "--recorded x: no labelled row has this column",
        ),
        ([{"id": "a", "aligned": True}] * 2, ["--recorded", "x"], "expected each one once"),
        (
            [{"id": "a", "aligned": [True], "x": [True, False]}],
            ["--recorded", "x"],
            "x has 2 decisions, expected 1",
        ),
        (
            [{"id": "a", "aligned": True}],
            [],
            "no meta-judge: give --recorded COLUMN, --runs RUN or --meta-judge",
        ),
        ([{"id": "a", "aligned": True}], ["--meta-judge", "m"], "--meta-judge needs --out RUN"),
        (
            [{"id": "a", "aligned": True}],
            ["--meta-judge", "m", "--meta-judge-url", "http://localhost:9/v1", "--out", "o"],
            "labels.jsonl:1: conversations is missing",
        ),
        ([{"id": "a", "aligned": True}], ["--runs", "nowhere"], "nowhere: has no meta_judgments.jsonl"),
        ([{"id": "a", "aligned": True}], ["--recorded", "x", "--meta-votes", "2"], "expected an odd number"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    ralign: Ralign, tmp_path: Path, rows: list[dict[str, Any]], flags: list[str], says: str
) -> None:
    path = write_rows(tmp_path / "labels.jsonl", rows)
    done = ralign("calibrate", path, *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reference_run_has_judgments_of_its_own(write, tmp_path: Path, ralign: Ralign) -> None:
    strong = run(write, tmp_path / "strong", {})
    write_pairs(tmp_path / "labels.jsonl", PAIRS)
    done = ralign("calibrate", tmp_path / "labels.jsonl", "--runs", strong, "--against", strong)
    assert done.returncode == 2
    assert "whose own judgments are taken" in done.stderr

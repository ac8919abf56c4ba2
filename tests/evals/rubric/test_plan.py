import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.evals.rubric.lighthouse import FixedJudge, item

from ralign.downstream.results_files import read_results
from ralign.errors import BadRow, ConfigMismatch, EndpointRefused, InputError
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.plan import GRADES, RubricPlan
from ralign.runs.execute import Results, run
from ralign.runs.plan import Ask

ITEMS = [
    item("passes"),
    item("fails"),
    item("half", criteria=("One?", "Two?")),
    item("unreadable", criteria=("One?", "Two?")),
    item("silent", answer=""),
    item("scored", kind="score", criteria=("names dusk",), group="style"),
]
VALUES: dict[str, list[float | None]] = {
    "passes": [1.0],
    "fails": [0.0],
    "half": [1.0, 0.0],
    "unreadable": [1.0, None],
    "scored": [1 / 3],
}


async def graded(
    items: Sequence[RubricItem], ask: Ask, out: Path, *, left_out: int = 0, judge: str = "one"
) -> Results:
    plan = RubricPlan(items, out, ask, left_out=left_out)
    return await run("rubric", plan, out, fingerprint={"judge": judge, "items_digest": plan.digest})


async def test_every_figure_by_hand(tmp_path: Path) -> None:
    results = await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path, left_out=2)
    document = json.loads((tmp_path / "results.json").read_text())
    assert document == results.document
    assert results.complete
    # Graded: 1, 0, 1/2, 0 (silent), 1/3. The unreadable one is anything from 0 to 1.
    total = 1 + 0.5 + 1 / 3
    assert document["score"]["value"] == pytest.approx(total / 5)
    assert document["score"]["low"] < total / 5 < document["score"]["high"]
    assert document["score_bounds"] == pytest.approx({"low": total / 6, "high": (total + 1) / 6})
    assert document["mean_grade"] == 4.0
    assert document["counts"] == {"graded": 5, "ungraded": 1, "without_answer": 1, "unanswered": 0}
    assert (document["items"], document["left_out"]) == (6, 2)
    assert document["usage"] == {"judge": {"prompt_tokens": 70, "completion_tokens": 14, "cached_tokens": 0}}
    assert document["groups"]["style"]["score"]["value"] == pytest.approx(1 / 3)


async def test_a_run_is_resumed_and_nothing_answered_is_asked_again(tmp_path: Path) -> None:
    first = FixedJudge(VALUES, down=["half", "scored"])
    results = await graded(ITEMS, first.grade, tmp_path)
    assert not results.complete
    assert results.document["owed"] == {"grades": 3}
    assert results.document["counts"]["unanswered"] == 2
    assert ("silent", 0) not in first.asked
    with (tmp_path / GRADES).open("ab") as log:
        log.write(b'{"item_id": "torn')
    second = FixedJudge(VALUES)
    resumed = await graded(ITEMS, second.grade, tmp_path)
    assert sorted(second.asked) == [("half", 0), ("half", 1), ("scored", 0)]
    undisturbed = await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path / "undisturbed")
    assert resumed.document == undisturbed.document


async def test_downstream_reads_the_run(tmp_path: Path) -> None:
    run = tmp_path / "multichallenge"
    await graded(ITEMS, FixedJudge(VALUES, down=["half"]).grade, run)
    with pytest.raises(InputError, match="the run is unfinished"):
        read_results([str(run)], allow_partial=False)
    await graded(ITEMS, FixedJudge(VALUES).grade, run)
    (file,) = read_results([str(run)], allow_partial=False)
    assert [(figure.task, figure.metric) for figure in file.figures] == [("multichallenge", "score")]


async def test_other_answers_or_another_setting_in_the_same_directory_are_refused(tmp_path: Path) -> None:
    await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path, judge="one")
    with pytest.raises(ConfigMismatch, match="judge is one in this run, and other was asked for"):
        await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path, judge="other")
    with pytest.raises(ConfigMismatch, match="items_digest"):
        await graded([item("passes", answer="At dawn.")], FixedJudge(VALUES).grade, tmp_path)


async def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path)
    log = tmp_path / GRADES
    complete = log.read_bytes()
    for line, said in (
        (b'{"item_id": "passes", "criterion": 0, "value": 7}', "value is 7, expected a number from 0 to 1"),
        (b'{"item_id": "passes", "criterion": 1, "value": 1}', "criterion is 1, expected a number below 1"),
        (
            b'{"item_id": "passes", "criterion": 0, "failure": "x"}',
            "failure is 'x', expected 'call', 'parse' or",
        ),
    ):
        log.write_bytes(line + b"\n" + complete)
        with pytest.raises(BadRow, match=f"{GRADES}:1: {said}"):
            await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path)
    log.write_bytes(b'{"item_id": "stranger", "criterion": 0, "value": 1}\n' + complete)
    with pytest.raises(InputError, match="item 'stranger' is not in the items' files"):
        await graded(ITEMS, FixedJudge(VALUES).grade, tmp_path)


class Refusing:
    async def grade(self, item: RubricItem, criterion: int) -> None:
        raise EndpointRefused("no such model")


async def test_an_endpoint_that_refuses_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(EndpointRefused, match="no such model"):
        await graded(ITEMS, Refusing().grade, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["complete"] is False


async def test_without_a_graded_item_there_is_no_score(tmp_path: Path) -> None:
    results = await graded([item("passes")], FixedJudge({"passes": [None]}).grade, tmp_path)
    assert (results.document["score"], results.document["mean_grade"]) == (None, None)
    assert results.document["score_bounds"] == {"low": 0.0, "high": 1.0}


async def test_a_recorded_grade_is_read_back_as_it_was_and_without_a_score_it_has_none(
    tmp_path: Path,
) -> None:
    judge = FixedJudge(VALUES)
    await graded(ITEMS, judge.grade, tmp_path)
    grades = RubricPlan(ITEMS, tmp_path, judge.grade).grades
    grades.load()
    with grades:
        recorded = {(grade.item_id, grade.criterion): grade for _, grade in grades.records()}
    assert recorded["unreadable", 1] == await judge.grade(ITEMS[3], 1)
    assert (recorded["passes", 0].score, recorded["scored", 0].score) == (None, 4)

import json
from pathlib import Path

import pytest
from tests.evals.rubric.lighthouse import FixedJudge, item

from ralign.downstream.results_files import read_results
from ralign.errors import BadRow, ConfigMismatch, EndpointRefused, InputError
from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.run import GRADES, grade_items

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


async def test_every_figure_by_hand(tmp_path: Path) -> None:
    results = await grade_items(ITEMS, FixedJudge(VALUES), tmp_path, left_out=2)
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
    assert document["usage"] == {"prompt_tokens": 70, "completion_tokens": 14}
    assert document["groups"]["style"]["score"]["value"] == pytest.approx(1 / 3)


async def test_a_run_is_taken_up_and_nothing_answered_is_asked_again(tmp_path: Path) -> None:
    first = FixedJudge(VALUES, down=["half", "scored"])
    results = await grade_items(ITEMS, first, tmp_path)
    assert not results.complete
    assert results.document["owed"] == {"grades": 3}
    assert results.document["counts"]["unanswered"] == 2
    assert ("silent", 0) not in first.asked
    with (tmp_path / GRADES).open("ab") as log:
        log.write(b'{"item_id": "torn')
    second = FixedJudge(VALUES)
    taken_up = await grade_items(ITEMS, second, tmp_path)
    assert sorted(second.asked) == [("half", 0), ("half", 1), ("scored", 0)]
    undisturbed = await grade_items(ITEMS, FixedJudge(VALUES), tmp_path / "undisturbed")
    assert taken_up.document == undisturbed.document


async def test_downstream_reads_the_run(tmp_path: Path) -> None:
    run = tmp_path / "multichallenge"
    await grade_items(ITEMS, FixedJudge(VALUES, down=["half"]), run)
    with pytest.raises(InputError, match="the run is unfinished"):
        read_results([str(run)], allow_partial=False)
    await grade_items(ITEMS, FixedJudge(VALUES), run)
    (file,) = read_results([str(run)], allow_partial=False)
    assert [(figure.task, figure.metric) for figure in file.figures] == [("multichallenge", "score")]


async def test_other_answers_or_another_setting_in_the_same_directory_are_refused(tmp_path: Path) -> None:
    await grade_items(ITEMS, FixedJudge(VALUES), tmp_path, identity={"judge": "one"})
    with pytest.raises(ConfigMismatch, match="judge is one in this run, and other was asked for"):
        await grade_items(ITEMS, FixedJudge(VALUES), tmp_path, identity={"judge": "other"})
    with pytest.raises(ConfigMismatch, match="items_digest"):
        await grade_items([item("passes", answer="At dawn.")], FixedJudge(VALUES), tmp_path)


async def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    await grade_items(ITEMS, FixedJudge(VALUES), tmp_path)
    log = tmp_path / GRADES
    whole = log.read_bytes()
    for line, said in (
        (b'{"item_id": "passes", "criterion": 0, "value": 7}', "value is 7, expected a number from 0 to 1"),
        (
            b'{"item_id": "passes", "criterion": 0, "failure": "x"}',
            "failure is 'x', expected 'call', 'parse' or",
        ),
    ):
        log.write_bytes(line + b"\n" + whole)
        with pytest.raises(BadRow, match=f"{GRADES}:1: {said}"):
            await grade_items(ITEMS, FixedJudge(VALUES), tmp_path)
    log.write_bytes(b'{"item_id": "stranger", "criterion": 0, "value": 1}\n' + whole)
    with pytest.raises(InputError, match="item 'stranger' is not in the items' files"):
        await grade_items(ITEMS, FixedJudge(VALUES), tmp_path)


class Refusing:
    async def grade(self, item: RubricItem, criterion: int) -> None:
        raise EndpointRefused("no such model")


async def test_an_endpoint_that_refuses_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(EndpointRefused, match="no such model"):
        await grade_items(ITEMS, Refusing(), tmp_path)  # type: ignore[arg-type]
    assert json.loads((tmp_path / "results.json").read_text())["complete"] is False


async def test_without_a_graded_item_there_is_no_score(tmp_path: Path) -> None:
    results = await grade_items([item("passes")], FixedJudge({"passes": [None]}), tmp_path)
    assert (results.document["score"], results.document["mean_grade"]) == (None, None)
    assert results.document["score_bounds"] == {"low": 0.0, "high": 1.0}

import pytest

from ralign.data.prompts import PolicyPrompt, prompt_from_row
from ralign.errors import BadRow, InputError
from ralign.evals.winrate.comparisons import Comparisons, match_answers
from ralign.evals.winrate.config import Missing
from ralign.files.rows import RowLocation


def prompts(name: str, **answers: str | None) -> list[PolicyPrompt]:
    """One prompt for each keyword, with that answer; None: the row has no such column."""
    rows = [
        {"id": one, "prompt": f"What about {one}?"} | ({} if text is None else {"reference_answer": text})
        for one, text in answers.items()
    ]
    return [prompt_from_row(row, RowLocation(name, line)) for line, row in enumerate(rows, start=1)]


def matched(answers, references, missing: Missing = "refuse", **fields) -> Comparisons:
    return match_answers(
        answers,
        references,
        missing=missing,
        **{"column": None, "reference_column": "reference_answer"} | fields,
    )


def test_answers_meet_by_id_in_the_references_order() -> None:
    found = matched(prompts("a", fig="1", pear="2", plum="3"), prompts("b", plum="4", fig="5"))
    assert [(pair.id, pair.response_a, pair.response_b) for pair in found.pairs] == [
        ("plum", "3", "4"),
        ("fig", "1", "5"),
    ]
    assert found.without_reference == 1
    assert found.pairs[0].benchmark == "winrate"


def test_only_what_is_said_after_the_thinking_competes() -> None:
    found = matched(prompts("a", fig="<think>Hm.</think> 1"), prompts("b", fig="Hm. </think>2"))
    assert (found.pairs[0].response_a, found.pairs[0].response_b) == ("1", "2")


@pytest.mark.parametrize("absent", [{}, {"pear": None}, {"pear": " "}, {"pear": "<think>Hm"}])
def test_a_missing_answer_is_refused_lost_or_left_out_as_the_user_says(absent) -> None:
    answers, references = prompts("a", fig="1", **absent), prompts("b", fig="2", pear="3")
    with pytest.raises(
        InputError, match=r"1 of 2 prompts have no answer in the column reference_answer \(pear\)"
    ):
        matched(answers, references)
    lost = matched(answers, references, "loss")
    assert [prompt.id for prompt in lost.missing_as_loss] == ["pear"]
    assert lost.left_out == 0
    left_out = matched(answers, references, "leave-out")
    assert left_out.missing_as_loss == []
    assert left_out.left_out == 1


def test_one_file_can_hold_both_answers() -> None:
    rows = [
        prompt_from_row(
            {"id": "a", "prompt": "x", "answer": "1", "reference_answer": "2"}, RowLocation("f", 1)
        )
    ]
    (pair,) = matched(rows, rows).pairs
    assert (pair.response_a, pair.response_b) == ("1", "2")
    (pair,) = matched(rows, rows, column="reference_answer", reference_column="answer").pairs
    assert (pair.response_a, pair.response_b) == ("2", "1")


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(BadRow, match=r"b:1: reference_answer is missing, expected an answer"):
        matched(prompts("a", fig="1"), prompts("b", fig=None))
    with pytest.raises(BadRow, match=r"b:1: reference_answer is all thinking"):
        matched(prompts("a", fig="1"), prompts("b", fig="<think>Hm"))
    with pytest.raises(InputError, match="no prompt has an answer"):
        matched(prompts("a", fig="1"), prompts("b", pear="1"), "loss")
    other = prompt_from_row(
        {"id": "fig", "prompt": "Which fig?", "reference_answer": "2"}, RowLocation("b", 1)
    )
    with pytest.raises(InputError, match="a:1: prompt 'fig' reads differently in b:1"):
        matched(prompts("a", fig="1"), [other])

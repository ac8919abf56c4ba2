import pytest

from ralign.evals.rubric.parse import Kind, parse_grade


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("It does.\nVERDICT: yes", 1),
        ("It does not.\nVERDICT: no", 0),
        ("It does.\n**Verdict: YES.**", 1),
        ("<verdict>no</verdict>\n```", 0),
        ("yes", 1),
        ("The final verdict is no", 0),
        ("VERDICT: yes\nNo, on second thoughts:\nVERDICT: no", 0),
        ("VERDICT: no\n---\n", 0),
    ],
)
def test_yes_or_no_is_what_the_last_line_says(answer: str, found: int) -> None:
    """A verdict that is quoted or taken back on the way there decides nothing."""
    assert parse_grade(answer, "question").found == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Good.\nSCORE: 7", 7),
        ("Good.\n**Score: 10/10**", 10),
        ("Poor.\nGrade is 1", 1),
        ("SCORE: 9\nSCORE: 3", 3),
        ("7 out of 10", 7),
        ("\\boxed{4}", 4),
    ],
)
def test_a_score_is_what_the_last_line_says(answer: str, found: int) -> None:
    assert parse_grade(answer, "score").found == found


@pytest.mark.parametrize(
    ("answer", "kind", "problem"),
    [
        ("", "question", "empty answer"),
        ("***\n", "question", "empty answer"),
        ("VERDICT: yes\nI hope this helps", "question", "no yes or no at the end: 'i hope this helps'"),
        ("VERDICT: yes or no", "question", "no yes or no at the end"),
        ("The answer says yes", "question", "no yes or no at the end"),
        ("SCORE: 7", "question", "no yes or no at the end"),
        ("VERDICT: yes", "score", "no score from 1 to 10 at the end"),
        ("SCORE: 0", "score", "the score is 0, expected 1 to 10"),
        ("SCORE: 11", "score", "the score is 11, expected 1 to 10"),
        ("SCORE: 7.5", "score", "no score from 1 to 10 at the end"),
        ("SCORE: 70/100", "score", "no score from 1 to 10 at the end"),
        (f"VERDICT: {'so ' * 100}yes", "question", "no yes or no at the end"),
    ],
)
def test_what_is_neither_is_a_failure_and_no_low_grade(answer: str, kind: Kind, problem: str) -> None:
    parsed = parse_grade(answer, kind)
    assert parsed.found is None
    assert parsed.problem is not None
    assert parsed.problem.startswith(problem)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_cut_off_has_no_grade(reason: str) -> None:
    assert parse_grade("VERDICT: yes", "question", reason).found is None

"""README.md and docs/ say what benchmarks/results says, and nothing else that looks like it."""

import re
from pathlib import Path

import pytest
from benchmarks.figures import MARKED, TABLES, estimates, lab_run, pages, rebuilt, recorded_runs
from tests.lab.made_results import arm, seed

from ralign.lab.results import write_result


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_shows_its_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert rebuilt(text) == text, "run `make figures`"


def test_every_table_stands_on_a_page() -> None:
    shown = {mark[2] for page in pages() for mark in MARKED.finditer(page.read_text(encoding="utf-8"))}
    assert shown == TABLES.keys()


def test_a_figure_that_was_typed_over_is_seen() -> None:
    text = f"before\n<!-- figures: lab-declared -->\n{TABLES['lab-declared']()}\n<!-- end -->\nafter\n"
    assert rebuilt(text) == text
    assert rebuilt(text.replace("not shown", "holds")) == text


def test_every_mark_has_its_end() -> None:
    for page in pages():
        marks = re.findall(r"<!-- (figures|end)\b", page.read_text(encoding="utf-8"))
        assert marks == ["figures", "end"] * (len(marks) // 2), page


@pytest.mark.parametrize(
    ("run", "figure", "printed"),
    [
        ("graded, first run", "spurious_correctness", (-0.327, -1.004, 0.350)),
        ("graded, first run", "quality", (0.186, -0.204, 0.577)),
        ("graded, second run", "quality", (0.186, 0.127, 0.244)),
        ("collapse", "label_accuracy", (-0.029, -0.126, 0.067)),
        ("honest", "spurious_correctness", (-0.097, -0.239, 0.045)),
    ],
)
def test_what_is_kept_gives_the_intervals_that_were_printed(
    run: str, figure: str, printed: tuple[float, float, float]
) -> None:
    """But for the third digit, as the kept differences have no more."""
    found = estimates(recorded_runs()[run])[figure]
    assert (found.mean, found.low, found.high) == pytest.approx(printed, abs=0.002)


def test_a_run_comes_onto_a_page_from_its_seeds(tmp_path: Path) -> None:
    for number in range(3):
        little = number / 100
        arms = (
            arm("base", 0.7, 0.7, 0.5),
            arm("outcome-only", 0.9, 0.6 - little, 0.4, 0.5),
            arm("r-align", 0.9 + little, 0.1, 0.8 + little, 0.9),
        )
        write_result(seed(number, *arms), tmp_path / f"seed-{number}.json")
    text = lab_run(tmp_path)
    assert "- A policy trained against it is better: **holds**." in text
    assert "| r-align | 0.910 ± 0.010 |" in text
    assert "**r-align minus outcome-only, paired by seed" in text

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.lab.made_results import arm
from tests.lab.made_results import seed as seed_of

from ralign.lab.claims import Arms, Finding
from ralign.lab.tables import (
    arms_table,
    claims_table,
    domains_table,
    lab_tables,
    markdown,
    predictions_table,
    probes_table,
    seed_table,
)
from ralign.report.tables import print_tables

ARMS = Arms("outcome-only", "r-align")


def seed(number, shift):
    return seed_of(
        number,
        arm("base", 0.8, 0.7, 0.5 + shift),
        arm("outcome-only", 0.8, 0.5, 0.38, 0.42),
        arm("r-align", 0.8, 0.1, 0.9 - shift),
    )


@pytest.fixture
def results():
    return [seed(number, number / 50) for number in range(3)]


def test_no_figure_is_cut_off_on_a_narrow_terminal(results):
    text = io.StringIO()
    print_tables(lab_tables(results, ARMS), Console(file=text, width=40))
    assert "…" not in text.getvalue()
    assert "r-align minus outcome-only" in text.getvalue()
    assert "0.400 \u00b1 0.000" in text.getvalue()


def test_one_seed_shows_each_judge_with_its_intervals_and_its_policy(results):
    share = {"value": 0.8, "low": 0.7, "high": 0.85}
    found = {
        arm.name: {"label_accuracy": share, "spurious_correctness": None, "fidelity_score": share}
        for arm in results[0].arms
    }
    columns = [list(map(str, column.cells)) for column in seed_table(results[0], found).columns]
    assert columns[1] == ["80.0 [70.0, 85.0]"] * 3
    assert columns[2] == ["\u2013"] * 3  # a judge that was never right has no S-Corr
    assert columns[4] == ["0.500", "0.400 ± 0.028", "0.900"]  # ± of its two policies


def test_one_seed_has_no_deviation_and_no_paired_difference(results):
    tables = lab_tables(results[:1], ARMS)
    assert not any("minus" in str(table.title) for table in tables)
    assert list(arms_table(results[:1]).columns[1].cells) == ["0.800"] * 3


def test_policies_of_one_judge_stand_beside_those_of_all_seeds(results):
    columns = [list(column.cells) for column in arms_table(results).columns]
    assert columns[-2] == ["0.520 ± 0.020", "0.400 ± 0.000", "0.880 ± 0.020"]
    assert columns[-1] == ["–", "0.028", "–"]


def test_a_correlation_that_is_undefined_is_a_dash(results):
    columns = [list(column.cells) for column in predictions_table(results).columns]
    assert columns[1] == ["–"] * 5  # three judges a seed
    assert columns[4][1].startswith("−0.")


def test_claims_stand_beside_what_became_of_them():
    columns = [list(column.cells) for column in claims_table([Finding("It is so", "not shown", "")]).columns]
    assert columns == [["It is so"], ["not shown"]]


def test_the_start_stands_above_the_policies(results):
    columns = [list(column.cells) for column in domains_table(results).columns]
    assert [row[0] for row in columns] == ["(start)", *["\u2013"] * 4, *["0.50"] * 4]
    assert columns[1][1:] == ["0.70", "0.50", "0.10"]


def test_what_a_probe_found_nothing_of_is_a_dash_and_no_zero(results):
    columns = [list(column.cells) for column in probes_table(results).columns]
    assert columns[1] == ["0.25"] * 3
    assert columns[2] == ["\u2013"] * 3


def test_seeds_without_the_figure_do_not_weigh_in_its_mean(results):
    probes = replace(results[0].arms[0].probes, fabricated=0.5)
    first = replace(results[0], arms=(replace(results[0].arms[0], probes=probes), *results[0].arms[1:]))
    assert list(probes_table([first, *results[1:]]).columns[2].cells) == ["0.50", "\u2013", "\u2013"]


def test_a_table_in_markdown_has_the_same_cells(results):
    table = arms_table(results)
    lines = markdown(table).splitlines()
    assert (
        lines[0]
        == "| judge | L-Acc | S-Corr | F-Score | L-Acc hard | L-Acc adversarial | policy quality | ± within a judge |"
    )
    assert lines[1].count("---:") == 7
    assert lines[4].startswith("| r-align | 0.800 \u00b1 0.000 | 0.100")

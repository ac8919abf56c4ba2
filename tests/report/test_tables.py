"""The tables: what is in them, and that no figure is cut off however narrow the terminal."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ralign.evals.compare import ComparedBenchmark, RunComparison
from ralign.evals.correlate import Correlations, Panel
from ralign.metrics.comparison import compare
from ralign.metrics.correlation import compare_correlations, correlate
from ralign.metrics.official import official_measures
from ralign.metrics.outcomes import TIE, Outcomes
from ralign.metrics.summary import summarise
from ralign.records import FAILURE_REASONS
from ralign.report.tables import (
    comparison_tables,
    correlation_tables,
    finished,
    new_table,
    print_tables,
    results_tables,
)

BOTH = ("ab", "ba")


def printed(tables: Sequence[Table], width: int = 100) -> str:
    out = io.StringIO()
    print_tables(tables, Console(file=out, width=width))
    return out.getvalue()


def outcomes_of(pairs: int, orders: int = 1, *, failures: bool = False, seed: int = 0) -> Outcomes:
    rng = np.random.default_rng(seed)
    label = np.zeros(pairs, np.int8)
    shape = (pairs, orders, 1)
    verdict = (rng.random(shape) < 0.3).astype(np.int8)
    aligned = (rng.random(shape) < 0.6).astype(np.int8)
    if failures:
        verdict[:3] = -1
        verdict[3:5] = -2
        verdict[5:10], aligned[5:9], aligned[9] = 0, -2, -1
    return Outcomes(label, np.arange(pairs), verdict, aligned)


def result_of(outcomes: Outcomes) -> dict[str, object]:
    orders = BOTH[: outcomes.verdict.shape[1]]
    nothing = dict.fromkeys(FAILURE_REASONS, 0)
    return {
        **summarise(outcomes, orders).as_dict(),
        "failures": nothing,
        "meta_failures": nothing,
        "official": official_measures(outcomes, orders),
    }


def test_each_benchmark_and_subset_has_a_row_in_per_cent_with_intervals() -> None:
    whole, part = result_of(outcomes_of(2_000)), result_of(outcomes_of(100, seed=1))
    text = printed(results_tables({"helpsteer3": {**whole, "subsets": {"code": part}}}))
    row = next(line for line in text.splitlines() if line.startswith("helpsteer3"))
    figure = whole["label_accuracy"]
    assert "2,000" in row
    assert f"{100 * figure['value']:.1f} [{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]" in row
    assert any(line.startswith("  code") for line in text.splitlines())


def test_where_pairs_share_prompts_the_table_counts_both() -> None:
    clustered = outcomes_of(90)._replace(prompt=np.repeat(np.arange(30), 3))
    text = printed(results_tables({"rb2": result_of(clustered), "a": result_of(outcomes_of(90))}))
    row = next(line for line in text.splitlines() if line.startswith("rb2"))
    assert row.split()[1:3] == ["90", "30"]
    assert "Intervals are over prompts" in text
    assert "prompts" not in printed(results_tables({"a": result_of(outcomes_of(90))}))


def test_what_did_not_fail_and_was_not_run_takes_no_room() -> None:
    text = printed(results_tables({"a": result_of(outcomes_of(100))}))
    for absent in ("verdict", "not answered", "both orders", "gold rationale"):
        assert absent not in text


def test_failures_are_counted_with_what_they_could_have_changed() -> None:
    """Failures are printed, never dropped."""
    result = result_of(outcomes_of(100, failures=True))
    text = printed(results_tables({"a": result, "b": result_of(outcomes_of(100))}))
    accuracy, unanswered = text.split("What was not answered")
    assert next(line for line in accuracy.splitlines() if line.startswith("a ")).split()[-1] == "3"
    row = next(line for line in unanswered.splitlines() if line.startswith("a "))
    bounds = result["fidelity_bounds"]
    assert row.split()[1] == "2"
    assert row.endswith(f"{100 * bounds['low']:.1f} to {100 * bounds['high']:.1f}")
    assert not any(line.startswith("b ") for line in unanswered.splitlines())
    assert "a: 1 right judgments had no gold rationale" in text


def test_without_a_meta_judge_there_are_dashes_and_no_note_about_gold() -> None:
    bare = outcomes_of(50)._replace(aligned=np.full((50, 1, 1), -1, np.int8))
    text = printed(results_tables({"a": result_of(bare)}))
    assert next(line for line in text.splitlines() if line.startswith("a ")).split()[-2:] == ["–", "–"]
    assert "gold rationale" not in text


def test_both_orders_have_a_table_of_their_own() -> None:
    result = result_of(outcomes_of(419, 2))
    text = printed(results_tables({"llmbar": result}))
    row = [line for line in text.splitlines() if line.startswith("llmbar")][-1]
    assert f"{100 * result['order_consistency']['value']:.1f} [" in row
    assert row.split()[-2:] == [str(result["counts"]["right_ab"]), str(result["counts"]["right_ba"])]


def test_tables_fit_100_columns_and_are_printed_whole_on_a_narrow_terminal() -> None:
    name = "a-benchmark-with-quite-a-long-name"
    tables = results_tables({name: result_of(outcomes_of(20_000, 2, failures=True))})
    wide = printed(tables, 100)
    assert max(map(len, wide.splitlines())) <= 100
    assert printed(tables, 40) == wide
    assert "…" not in wide


def test_names_with_brackets_are_printed_as_they_are() -> None:
    assert "[bold]x[/nope]" in printed(results_tables({"[bold]x[/nope]": result_of(outcomes_of(20))}))


def compared(
    *runs: Outcomes, subsets: bool = False, names: Sequence[str] = ("base", "r-align", "third")
) -> str:
    def of(rows: slice) -> object:
        return compare([Outcomes(*(each[rows] for each in run)) for run in runs], [("ab",)] * len(runs))

    parts = (
        {"code": of(slice(0, 50)), "chat": of(slice(50, 100))} if subsets else {"everything": of(slice(None))}
    )
    found = RunComparison(
        names=tuple(names[: len(runs)]),
        benchmarks={"helpsteer3": ComparedBenchmark(of(slice(None)), parts)},  # type: ignore[arg-type]
        failures=tuple(
            {"tie": 2 * failed, **dict.fromkeys(FAILURE_REASONS, 0), "cut_off": failed}
            for failed in range(len(runs))
        ),
        notes=(),
    )
    return printed(comparison_tables(found))


def test_failures_have_a_table_by_kind_and_ties_a_column_and_the_benchmarks_own_measures() -> None:
    outcomes = outcomes_of(100, orders=2)
    outcomes.verdict[:7] = TIE
    outcomes.label[:3] = TIE
    # Any: a document as JSON has it, into which the test reaches.
    result: Any = result_of(outcomes)
    assert "As the benchmarks" not in printed(results_tables({"a": result_of(outcomes_of(100, orders=2))}))
    result["failures"] = {**result["failures"], "two_verdicts": 4, "filtered": 2}
    text = printed(results_tables({"tides": result}))
    row = next(line for line in text.splitlines() if line.startswith("tides"))
    assert row.split()[-2:] == ["14", "3"]  # ties, pairs without a letter
    assert "Tie: judgments that call neither better. They are not right." in text
    reasons = text[text.index("Without a verdict") :]
    assert next(line for line in reasons.splitlines() if line.startswith("tides")).split() == [
        "tides",
        "2",
        "4",
    ]
    own = text[text.index("As the benchmarks themselves count") :]
    figures = next(line for line in own.splitlines() if line.startswith("tides")).split()[1:]
    official: Any = official_measures(outcomes, BOTH)
    assert figures == [
        f"{100 * official[name][key]:.1f}"
        for name, key in (
            ("judgebench", "value"),
            ("pandalm", "accuracy"),
            ("autoj_agreement", "value"),
            ("autoj_consistency", "value"),
        )
    ]


def test_titles_and_notes_are_not_folded_to_the_width_of_a_narrow_table() -> None:
    table = new_table("As the benchmarks themselves count")
    table.add_column("%")
    lines = printed([finished(table, ["A note of some length. " * 4])]).rstrip().splitlines()
    assert lines[0].rstrip() == "As the benchmarks themselves count"
    assert lines[-2].rstrip() == "A note of some length. A note of some length. A note of some length. A"
    assert lines[-1].rstrip() == "note of some length."


def test_a_comparison_says_how_often_a_run_called_neither_better_and_why() -> None:
    text = compared(outcomes_of(50, seed=1), outcomes_of(50, seed=2))
    table = text[text.index("Neither answer called better") :]
    assert next(line for line in table.splitlines() if line.startswith("r-align")).split() == [
        "r-align",
        "2",
        "1",
    ]


def test_a_comparison_has_signed_differences_each_with_the_test_beside_it() -> None:
    first, second = outcomes_of(200, seed=1), outcomes_of(200, seed=2)
    second.verdict[:4] = -2
    (other,) = compare([first, second], [("ab",)] * 2).others
    text = compared(first, second)
    difference, tests = other.difference, other.tests
    assert difference.label_accuracy is not None
    assert tests.label_accuracy is not None
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("L-Acc"))
    assert "base" in lines[at]
    assert "r-align" in lines[at + 1]
    assert f"{100 * difference.label_accuracy.value:+.1f} [" in lines[at + 1]
    assert f"{tests.label_accuracy.p_value:.3f}".removeprefix("0") in lines[at + 1]
    said = " ".join(text.split())
    assert "p: McNemar exact (L-Acc); sign-flip permutation (S-Corr, F-Score)." in said
    assert max(map(len, lines)) <= 80
    assert "196 pairs, answered by both. Difference: minus base, paired." in text
    assert "never answered: 4 pairs" in text
    assert "So many prompts show a difference 8 times in 10" in text
    assert "both orders" not in text
    assert "Holm" not in text
    assert "by subset" not in text


def test_more_than_two_runs_are_rows_with_adjusted_p() -> None:
    runs = [outcomes_of(200, seed=seed) for seed in range(3)]
    text = compared(*runs)
    assert "p, adjusted by Holm: McNemar exact (L-Acc)" in " ".join(text.split())
    adjusted = compare(runs, [("ab",)] * 3).others[1].tests.label_accuracy
    assert adjusted is not None
    row = next(line for line in reversed(text[: text.index("S-Corr")].splitlines()) if line.split())
    assert row.split()[-1] == f"{adjusted.adjusted:.3f}".removeprefix("0")
    assert "200 pairs, answered by all" in text


def test_subsets_have_a_table_of_their_own_and_pairs_of_one_prompt_are_said() -> None:
    runs = [outcomes_of(200, seed=seed)._replace(prompt=np.arange(200) // 2) for seed in range(2)]
    text = compared(*runs, subsets=True)
    assert "200 pairs of 100 prompts" in text
    assert "helpsteer3: differences to base by subset" in text
    rows = [line.split()[:2] for line in text.splitlines() if line.startswith(("code", "chat"))]
    assert rows == [["code", "50"], ["chat", "50"]]


def test_a_comparison_of_two_runs_fits_100_columns() -> None:
    text = compared(outcomes_of(20_000, seed=1), outcomes_of(20_000, seed=2), subsets=True)
    assert max(map(len, text.splitlines())) <= 100


def correlations(*columns: Sequence[float], models: Sequence[str], notes: Sequence[str] = ()) -> Correlations:
    *xs, y = columns
    names = ["f_score", "l_acc"][: len(xs)]
    return Correlations(
        panels=tuple(
            Panel(x_name=name, y_name="downstream", models=models, x=x, y=y, correlation=correlate(x, y))
            for name, x in zip(names, xs, strict=True)
        ),
        differences={("f_score", "l_acc"): compare_correlations(xs[0], xs[1], y)} if len(xs) == 2 else {},
        notes=tuple(notes),
    )


def test_a_correlation_names_the_model_that_moves_it() -> None:
    x, y = [0.0, 0.0, 1.0, 1.0, 9.0], [0.0, 1.0, 0.0, 1.0, 9.0]
    found = correlations(x, y, models=["p", "q", "r", "s", "far-out"])
    each = found.panels[0].correlation
    text = printed(correlation_tables(found))
    assert "Correlation with downstream, 5 models" in text
    assert each.pearson_interval is not None
    assert f"{each.pearson:.3f} [{each.pearson_interval.low:.3f}, " in text
    (row,) = [line for line in text.splitlines() if "far-out" in line]
    assert row.split()[:3] == ["f_score", "0.000", "far-out"]


def test_two_measures_have_their_difference_tested() -> None:
    rng = np.random.default_rng(0)
    one, two, y = rng.normal(size=(3, 8)).tolist()
    found = correlations(one, two, y, models=[f"model-{number}" for number in range(8)])
    text = printed(correlation_tables(found))
    each = found.differences["f_score", "l_acc"]
    assert each.difference is not None
    row = next(line for line in text.splitlines() if line.startswith("f_score less l_acc"))
    assert f"{each.value:+.3f} [{each.difference.low:+.3f}, {each.difference.high:+.3f}]" in row
    assert "Williams" in text


def test_the_widest_figures_and_long_names_fit_in_80_columns() -> None:
    x = np.random.default_rng(3).normal(size=(3, 8))
    x[1] = -x[2] + x[0] / 10
    models = [f"a-model-with-a-long-name-{number}" for number in range(8)]
    found = correlations(*x.tolist(), models=models)
    names = ("rewardbench_2_fidelity_score", "rewardbench_2_label_accuracy")
    renamed = [replace(panel, x_name=name) for panel, name in zip(found.panels, names, strict=True)]
    text = printed(
        correlation_tables(
            replace(found, panels=tuple(renamed), differences={names: found.differences["f_score", "l_acc"]})
        )
    )
    assert max(map(len, text.splitlines())) <= 80


def test_three_models_have_r_and_nothing_else() -> None:
    found = correlations([1, 2, 3], [1, 3, 2], models=["a", "b", "c"], notes=["3 models: no interval."])
    text = printed(correlation_tables(found))
    row = next(line for line in text.splitlines() if line.startswith("f_score"))
    assert row.split() == ["f_score", "0.500", "–", "0.500"]
    assert "leaving" not in text
    assert "3 models: no interval." in text
    assert "Fisher" not in text

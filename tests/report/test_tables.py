"""The tables: what is in them, and that no figure is cut off however narrow the terminal."""

import io
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from ralign.metrics.comparison import compare
from ralign.metrics.correlation import correlate
from ralign.metrics.outcomes import Outcomes
from ralign.metrics.summary import summarise
from ralign.report.tables import comparison_table, correlation_table, print_tables, results_tables

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
    return Outcomes(label, verdict, aligned)


def result_of(outcomes: Outcomes) -> dict[str, object]:
    orders = BOTH[: outcomes.verdict.shape[1]]
    return summarise(outcomes, orders, rng=np.random.default_rng(0), resamples=200).as_dict()


def test_each_benchmark_and_subset_has_a_row_in_per_cent_with_intervals() -> None:
    whole, part = result_of(outcomes_of(2_000)), result_of(outcomes_of(100, seed=1))
    text = printed(results_tables({"helpsteer3": {**whole, "subsets": {"code": part}}}))
    row = next(line for line in text.splitlines() if line.startswith("helpsteer3"))
    figure = whole["label_accuracy"]
    assert "2,000" in row
    assert f"{100 * figure['value']:.1f} [{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]" in row
    assert any(line.startswith("  code") for line in text.splitlines())


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


def test_a_comparison_has_signed_differences_and_the_exact_test() -> None:
    first, second = outcomes_of(200, seed=1), outcomes_of(200, seed=2)
    second.verdict[:4] = -2
    found = compare(first, second, ("ab",), ("ab",), rng=np.random.default_rng(0), resamples=200)
    text = printed([comparison_table(found, "runs/base", "runs/r-align")])
    assert found.difference.label_accuracy is not None
    row = next(line for line in text.splitlines() if line.startswith("L-Acc"))
    assert f"{100 * found.difference.label_accuracy.value:+.1f} [" in row
    assert "196 pairs. Difference: runs/r-align minus runs/base" in text
    assert "never answered: 4 pairs" in text
    assert f"McNemar's exact test: p = {found.mcnemar.p_value:.3f}" in text
    assert "both orders" not in text


def test_a_correlation_names_the_model_that_moves_it() -> None:
    x, y = [0.0, 0.0, 1.0, 1.0, 9.0], [0.0, 1.0, 0.0, 1.0, 9.0]
    found = correlate(x, y, rng=np.random.default_rng(0), resamples=2_000)
    text = printed([correlation_table([("f_score", found)], ["p", "q", "r", "s", "far-out"], "downstream")])
    assert "Correlation with downstream, 5 models" in text
    assert f"{found.pearson.value:.3f} [" in text
    assert "0.000 without far-out" in text
    assert f"left out: {found.degenerate_resamples} (f_score)" in text

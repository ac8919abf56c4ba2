"""Which figure of which file fills which column."""

import pytest

from ralign.downstream.benchmarks import PAPER, columns_of, find
from ralign.downstream.scores import Figure, ResultsFile
from ralign.errors import InputError


def file(*figures: tuple[str, str, float], path: str = "r.json") -> ResultsFile:
    return ResultsFile(
        path=path,
        source="lighteval",
        model="tern",
        figures=tuple(Figure(task=task, metric=metric, value=value) for task, metric, value in figures),
        partial=None,
    )


def filled(*files: ResultsFile, mappings: tuple[str, ...] = ()) -> dict[str, float]:
    return {one.column: one.percent for one in find(columns_of(mappings), files)}


def test_the_columns_are_the_paper_s_eight_in_its_order() -> None:
    assert [benchmark.name for benchmark in PAPER] == [
        "aime24",
        "aime25",
        "gpqa_diamond",
        "livecodebench",
        "ifbench",
        "wildbench",
        "arena_hard_v2",
        "multichallenge",
    ]


@pytest.mark.parametrize(
    ("column", "figures"),
    [
        ("aime24", [("aime24", "pass@k:k=1", 0.9), ("aime24", "avg@n:n=1", 0.5)]),
        ("aime25", [("aime25", "exact_match,none", 0.5)]),
        ("aime24", [("aime2024", "expression_equivalence/accuracy", 0.5)]),
        ("gpqa_diamond", [("gpqa:diamond", "gpqa_pass@k:k=1", 0.5)]),
        (
            "gpqa_diamond",
            [
                ("gpqa_diamond_cot_zeroshot", "exact_match,strict-match", 0.1),
                ("gpqa_diamond_cot_zeroshot", "exact_match,flexible-extract", 0.5),
            ],
        ),
        ("livecodebench", [("lcb:codegeneration_v6", "codegen_pass@1:16", 0.5)]),
        (
            "ifbench",
            [
                ("ifbench_test", "prompt_level_strict_acc", 0.4),
                ("ifbench_test", "prompt_level_loose_acc", 0.5),
            ],
        ),
        ("ifbench", [("ifbench_test", "prompt_level_loose_acc/accuracy", 0.5)]),
        ("wildbench", [("WildBench-v2", "score", 0.5), ("WildBench-v2", "win_rate", 0.9)]),
        (
            "arena_hard_v2",
            [("arena-hard-v2.0", "win_rate", 0.9), ("arena-hard-v2.0", "style_controlled_win_rate", 0.5)],
        ),
        ("multichallenge", [("multi_challenge", "score", 0.5)]),
    ],
)
def test_each_program_s_figure_finds_its_column_in_percent(
    column: str, figures: list[tuple[str, str, float]]
) -> None:
    assert filled(file(*figures)) == {column: 50.0}


def test_a_figure_of_no_benchmark_fills_nothing() -> None:
    assert filled(file(("aime24_gpassk", "g-pass@16", 0.5), ("mmlu", "acc,none", 0.5))) == {}


def test_a_mapping_adds_a_column_and_overrules_one_of_the_eight() -> None:
    results = file(
        ("mmlu_pro", "exact_match,custom", 0.25), ("aime24", "avg@n:n=1", 0.5), ("aime24", "maj@n:n=8", 0.75)
    )
    assert filled(results, mappings=("mmlu=mmlu_pro", "aime24=aime24 maj@n*")) == {
        "mmlu": 25.0,
        "aime24": 75.0,
    }


@pytest.mark.parametrize("mapping", ["mmlu", "=mmlu", "mmlu=", "mmlu= "])
def test_a_mapping_that_cannot_be_read_is_shown(mapping: str) -> None:
    with pytest.raises(InputError, match="expected NAME=TASK or 'NAME=TASK METRIC'"):
        columns_of((mapping,))


def test_two_figures_for_one_column_are_refused_and_named() -> None:
    one, other = (file(("aime24", "avg@n:n=1", 0.5), path=path) for path in ("one.json", "other.json"))
    with pytest.raises(
        InputError, match=r"aime24: 2 figures fit \(aime24 avg@n:n=1 in one\.json, .* in other\.json"
    ):
        filled(one, other)


def test_no_raw_win_rate_stands_in_for_a_controlled_one() -> None:
    """A run that could not give it would put another measure into the same column."""
    with pytest.raises(InputError, match="arena_hard_v2: no metric like style_controlled_win_rate"):
        filled(file(("arena_hard_v2", "win_rate", 0.5)))
    raw = file(("arena_hard_v2", "win_rate", 0.5))
    assert filled(raw, mappings=("arena_hard_v2=arena_hard_v2 win_rate",)) == {"arena_hard_v2": 50.0}


def test_a_task_without_its_metric_is_refused_with_those_it_has() -> None:
    with pytest.raises(InputError, match=r"ifbench: no metric like .* \(ifbench_test tokens in r\.json\)"):
        filled(file(("ifbench_test", "tokens", 0.5)))


@pytest.mark.parametrize("value", [-0.1, 1.5, 72.8])
def test_a_figure_that_is_no_share_is_refused(value: float) -> None:
    """A percentage taken for a share, or a score from 1 to 10, would shift the average unseen."""
    with pytest.raises(InputError, match="expected a share from 0 to 1; --score aime24=PERCENT"):
        filled(file(("aime24", "avg@n:n=1", value)))

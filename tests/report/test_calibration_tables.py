"""A calibration as tables."""

from typing import Any

from rich.console import Console

from ralign.report.calibration_tables import calibration_tables


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def figures(**other: Any) -> dict[str, Any]:
    counts = {
        "true_positives": 317,
        "false_positives": 129,
        "false_negatives": 48,
        "true_negatives": 1357,
        "undecided": 0,
    }
    names = ("agreement", "kappa", "f1", "precision", "sensitivity", "specificity")
    return {**counts, **dict.fromkeys(names, share(0.8)), **other}


def document(**other: Any) -> dict[str, Any]:
    meta_judge = {"name": "gpt", **figures(kappa=share(0.587)), "not_asked": 0, "by": {}, "votes": None}
    return {
        "reference": "people's labels (aligned)", "unit": "judgment", "judgments": 1851, "unlabelled": 0,
        "prompts": 550,
        "meta_judges": [{**meta_judge, **other.pop("meta_judge", {})}], "between": [], "panel": None, **other,
    }  # fmt: skip


def printed(document: dict[str, Any]) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        for table in calibration_tables(document):
            console.print(table)
    return " ".join(captured.get().split())


def test_the_ranking_and_the_confusion_are_there() -> None:
    text = printed(document())
    assert "gpt 80.0 [75.0, 85.0] 80.0 [75.0, 85.0] 0.587 [0.537, 0.637]" in text
    assert "gpt 317 129 48 1,357 Aligned is the positive class." in text
    assert "sensitivity specificity" in text
    assert "1,851 labelled judgments of 550 prompts." in text
    assert "Between" not in text


def test_what_was_not_decided_or_asked_has_a_column_and_what_is_undefined_a_dash() -> None:
    silent = {"undecided": 7, "not_asked": 9, "kappa": None, "f1": None}
    text = printed(document(unlabelled=3, unit="gold point", meta_judge=silent))
    assert "gpt 317 129 48 1,357 7 9" in text
    assert "gpt – 80.0 [75.0, 85.0] –" in text
    assert "Left out, as nobody labelled them: 3." in text
    assert "each gold point by itself" in text


def test_groups_panels_and_votes_have_tables_of_their_own() -> None:
    worth = {"votes": 3, "judged": 1851, "error_correlation": 0.5, "effective_votes": 1.5}
    between = {
        "first": "gpt",
        "second": "qwen",
        "decided_by_both": 900,
        "agreement": share(0.9),
        "kappa": share(0.7),
    }
    of_one = {"by": {"judge": {"hasty": figures()}}, "votes": {"agreement": share(0.9), "worth": worth}}
    text = printed(document(between=[between], panel={**worth, "votes": 2}, meta_judge=of_one))
    assert "gpt hasty 1,851 80.0" in text
    assert "gpt qwen 900 90.0 [85.0, 95.0] 0.700 [0.650, 0.750]" in text
    assert "These meta-judges, 2 together, are worth 1.5 that err apart" in text
    assert "Its votes, 3 together" in text

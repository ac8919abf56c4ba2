from rich.console import Console

from ralign.report.probing_table import probing_table


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def moved(changed: float | None, lost: float = 0.0) -> dict[str, object]:
    known = changed is not None
    return {
        "judgments": 400 if known else 0,
        "verdict_changed": share(changed) if known else None,
        "probability_lost": share(lost) if known else None,
    }


def probed(**other: object) -> dict[str, object]:
    versions = {
        "swap": moved(0.812, 0.744),
        "other": moved(0.25, -0.002),
        "truncate": moved(0.1),
        "truncate_swap": moved(None),
        "drop": moved(0.3),
    }
    counts = {
        "judgments": 419,
        "no_verdict": 6,
        "no_rationale": 0,
        "no_mention": 11,
        "ambiguous": 2,
        "no_other": 0,
    }
    document = {
        "pairs": 419,
        "prompts": 400,
        "versions": versions,
        "swap_above_other": share(0.562),
        "verdict_as_written": share(0.95),
        "mean_mass": 0.99,
        "counts": counts,
    }
    return document | other


def printed(document: dict[str, object]) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(probing_table("tides", document))
    return captured.get()


def test_every_version_has_a_row_with_its_count_and_intervals():
    text = printed(probed())
    assert "A and B swapped in it" in text
    assert "81.2 [76.2, 86.2]" in text
    assert "74.4 [69.4, 79.4]" in text
    rows = {line.strip().split("  ")[0]: line for line in text.splitlines()}
    assert rows["A and B swapped in that half"].count("–") == 2


def test_what_was_left_out_is_said_and_what_was_not_is_not():
    text = " ".join(printed(probed()).split())
    assert "Left out: 6 without a verdict; 11 not swapped, as the rationale names neither answer" in text
    assert "0 without" not in text
    assert "swapped minus another pair's: +56.2 [+51.2, +61.2] points" in text


def test_a_judge_that_would_not_have_written_a_verdict_there_is_named():
    assert "Careful" not in printed(probed())
    assert "a probability of only 20%" in " ".join(printed(probed(mean_mass=0.2)).split())


def test_no_figure_is_a_negative_zero():
    assert "-0.0" not in printed(probed(versions=dict.fromkeys(probed()["versions"], moved(0.5, -0.0001))))

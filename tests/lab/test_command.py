import io
import json

import pytest
from rich.console import Console

from ralign.errors import InputError, RunLocked
from ralign.files import lock_directory
from ralign.lab.command import default_out, run_lab
from ralign.lab.options import LabOptions

TINY = """
[lab]
seeds = [5, 6]
showy = [0.9, 0.9, 0.9, 0.9]
model = { width = 16, layers = 2, heads = 2 }
judge_rl = { steps = 1, prompts = 4, group_size = 4 }
policy_rl = { steps = 1, prompts = 4, group_size = 4, evaluated = 20 }
benchmark = { pairs = 8 }
[[lab.phases]]
steps = 1
pairs = 4
answers = 4
showy = [0.5, 0.5, 0.5, 0.5]
critics = { substantive = [1, 1, 1, 1] }
[[lab.arms]]
name = "base"
reward = "none"
[[lab.arms]]
name = "outcome-only"
reward = "outcome"
[[lab.arms]]
name = "r-align"
reward = "ralign"
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def run(recipe, out, **flags):
    text = io.StringIO()
    results = run_lab(LabOptions(recipe=recipe, out=out, jobs=1, **flags), Console(file=text, width=200))
    return results, text.getvalue()


def test_declared_seeds_are_all_run_and_all_figures_are_kept(recipe, tmp_path):
    results, text = run(recipe, tmp_path / "out", seeds="declared")
    assert [result.seed for result in results] == [5, 6]
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["seeds"] == [5, 6]
    assert len(document["cpu_seconds"]) == 2
    assert len(document["arms"]["r-align"]["quality"]["values"]) == 2
    assert len(document["minus_outcome_only"]["r-align"]["quality"]["values"]) == 2
    # hardly trained, no judge is ever right: without S-Corr, which is no reason to lose the run
    assert document["arms"]["r-align"]["spurious_correctness"]["mean"] is None
    assert "r-align minus outcome-only, paired by seed" in text
    assert "true quality" in text  # what it means for the policies, in words
    assert (tmp_path / "out" / "tables.md").read_text().count("| r-align |") >= 4
    assert f"as a page: {tmp_path / 'out' / 'report.html'}" in text
    assert "Means over 2 seeds" in (tmp_path / "out" / "report.html").read_text()


def test_two_runs_do_not_share_a_directory(recipe, tmp_path):
    with lock_directory(tmp_path / "out"), pytest.raises(RunLocked, match="is writing here"):
        run(recipe, tmp_path / "out")


def test_a_quick_run_says_that_it_shows_nothing(recipe, tmp_path):
    results, text = run(recipe, tmp_path / "out", quick=True)
    assert [result.seed for result in results] == [0]
    assert "none long enough to show what the method does" in text


@pytest.mark.parametrize("seeds", ["", "1..", "3,3", "4..2", "all"])
def test_seeds_that_cannot_be_read_are_refused(recipe, tmp_path, seeds):
    with pytest.raises(InputError, match="--seeds"):
        run(recipe, tmp_path / "out", seeds=seeds)


def test_every_way_of_running_has_its_own_directory(recipe):
    names = [
        default_out(options).name
        for options in (
            LabOptions(),
            LabOptions(quick=True),
            LabOptions(preset="collapse"),
            LabOptions(recipe=recipe),
        )
    ]
    assert names == ["lab", "lab-quick", "lab-collapse", "lab-tiny"]

import io

from rich.console import Console

from ralign.lab.progress import Milestone, StepDone, counted, shown


def test_steps_pass_through_and_each_is_told_after_those_before_it():
    events = []
    assert list(counted("abc", events.append, "seed 0: r-align", 5, done=2)) == ["a", "b", "c"]
    assert events == [StepDone("seed 0: r-align", done, 5) for done in (3, 4, 5)]


def test_a_log_gets_a_line_a_result_and_no_bars():
    text = io.StringIO()
    with shown(Console(file=text, width=200)) as watch:
        for done in range(1, 4):
            watch(StepDone("seed 0: base model", done, 3))
        watch(Milestone("seed 0: base: L-Acc 0.700"))
    assert text.getvalue() == "seed 0: base: L-Acc 0.700\n"


def test_a_terminal_gets_a_bar_for_each_running_task_and_keeps_the_results():
    text = io.StringIO()
    with shown(Console(file=text, width=120, force_terminal=True)) as watch:
        watch(StepDone("seed 0: base model", 20, 20))
        watch(StepDone("seed 0: r-align", 7, 160))
        watch(Milestone("seed 0: base: L-Acc 0.700"))
    *_, last = text.getvalue().split("L-Acc 0.700")
    assert "step 7 of 160" in last
    assert "base model" not in last  # finished: its bar has gone

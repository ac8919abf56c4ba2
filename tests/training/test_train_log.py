from math import inf, nan

import pytest

from ralign.errors import InputError
from ralign.training.train_log import Step, cut_after, encode_step, mean_metrics, read_steps


def steps(*numbers: int) -> list[Step]:
    return [Step(number, {"reward": number / 10}, (f"pair {number}",)) for number in numbers]


def write(path, found) -> None:
    path.write_bytes(b"".join(encode_step(step) + b"\n" for step in found))


def test_a_log_reads_back_as_it_was_written(tmp_path) -> None:
    write(tmp_path / "log", steps(1, 2))
    assert read_steps(tmp_path / "log") == steps(1, 2)
    assert read_steps(tmp_path / "missing") == []


def test_a_figure_without_a_value_is_null_in_the_file() -> None:
    assert b'"a":null,"b":null,"c":null' in encode_step(Step(1, {"a": nan, "b": inf, "c": None}, ()))


def test_lines_behind_the_checkpoint_are_dropped_and_a_torn_one_with_them(tmp_path) -> None:
    path = tmp_path / "log"
    write(path, steps(1, 2, 3, 4))
    with path.open("ab") as file:
        file.write(b'{"step": 5, "met')
    cut_after(path, 2)
    assert read_steps(path) == steps(1, 2)
    cut_after(path, 0)
    assert read_steps(path) == []


def test_a_line_that_is_none_of_ours_is_named(tmp_path) -> None:
    (tmp_path / "log").write_text('{"step": 1, "metrics": {}, "pairs": []}\n{"other": 1}\n')
    with pytest.raises(InputError, match="log:2"):
        read_steps(tmp_path / "log")


def test_means_are_over_the_last_steps_that_have_the_figure() -> None:
    found = [Step(1, {"a": 9.0}, ()), Step(2, {"a": 1.0, "b": None}, ()), Step(3, {"a": 3.0, "b": 5.0}, ())]
    assert mean_metrics(found, last=2) == {"a": 2.0, "b": 5.0}

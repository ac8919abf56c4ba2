import math
import re
import xml.etree.ElementTree as ET

import pytest

from ralign.report.charts import Dot, Line, Part, bar, line_chart, marker, scatter_chart, ticks


def lines(*runs, **flags):
    return line_chart([Line("judge", "arm", runs)], x_name="step", y_name="reward", y_text=str, **flags)


def dots(*points, **flags):
    shown = [Dot(f"judge {x}", "arm", "circle", x, y) for x, y in points]
    return scatter_chart(
        shown, x_name="L-Acc", y_name="quality", x_text=str, y_text=str, y_range=(0.0, 1.0), **flags
    )


def path_of(svg):
    return [tuple(map(float, pair.split())) for pair in re.search(r' d="M([^"]*)"', svg)[1].split("L")]


@pytest.mark.parametrize(
    "svg",
    [
        lines([0.1, 0.5, 0.9]),
        lines([0.1, None, math.nan], [0.2]),
        dots((0.5, 0.5)),
        dots((0.1, 0.2), (0.3, 0.9), (0.5, 0.4)),
        bar([Part("<b>", "full", 0.4), Part("", "hatched", math.nan)], title='a "judge"'),
    ],
)
def test_figures_are_well_formed_and_hold_no_nan(svg):
    assert ET.fromstring(svg).tag == "svg"
    assert "nan" not in svg


def test_a_higher_reward_is_drawn_higher_and_a_later_step_further_right():
    places = path_of(lines([0.0] * 10 + [1.0] * 10))
    assert [x for x, _ in places] == sorted({x for x, _ in places})
    assert places[0][1] > places[-1][1]


def test_steps_in_which_nothing_was_scored_are_left_out():
    assert len(path_of(lines([0.1, None, 0.3, 0.4]))) == 3


def test_several_runs_have_a_band_and_one_has_none():
    assert 'class="band"' in lines([0.1, 0.2], [0.3, 0.4])
    assert 'class="band"' not in lines([0.1, 0.2])


def test_rewards_beyond_one_stay_in_the_picture():
    assert min(y for _, y in path_of(lines([0.5, 1.5, 1.5, 1.5]))) >= 10


def test_without_figures_a_chart_says_so():
    assert (
        lines([None, None]) == lines() == dots((math.nan, 0.5)) == '<p class="nothing">Nothing to draw.</p>'
    )


def test_three_points_have_a_line_through_them_and_two_have_none():
    assert 'class="trend"' in dots((0.1, 0.2), (0.3, 0.9), (0.5, 0.4))
    assert 'class="trend"' not in dots((0.1, 0.2), (0.3, 0.9))
    assert 'class="trend"' not in dots((0.1, 0.2), (0.1, 0.9), (0.1, 0.3))
    assert 'class="trend"' not in dots((0.1, 0.2), (0.3, 0.9), (0.5, 0.4), trend=False)


def test_a_label_without_room_is_left_out():
    svg = bar([Part("90.0 %", "full", 0.9), Part("1.0 %", "hatched", 0.01)], title="t")
    assert "90.0 %" in svg
    assert "1.0 %" not in svg.replace("90.0 %", "")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 80, [0, 20, 40, 60, 80]), (0.74, 0.93, [0.75, 0.8, 0.85, 0.9])],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_an_axis_of_one_number_has_one_tick():
    assert ticks(0.5, 0.5) == [0.5]


@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "diamond"])
def test_every_shape_is_one_element(shape):
    assert ET.fromstring(marker(shape, 5, 5)).get("class") == "dot"

"""The figure: written whole, the same bytes for the same figures, no name over another."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text

from ralign.errors import InputError
from ralign.evals.correlate import Panel
from ralign.metrics.correlation import correlate
from ralign.report import correlation_figure
from ralign.report.correlation_figure import draw_correlation


def panel_of(models: int, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    x = rng.uniform(30, 60, models)
    y = x / 5 + rng.normal(0, 1, models)
    return Panel(
        x_name="f_score",
        y_name="downstream",
        models=[f"judge-{i}-of-$some-size" for i in range(models)],
        x=x.tolist(),
        y=y.tolist(),
        correlation=correlate(x, y),
    )


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_figure_is_written_whole_and_the_same_each_time(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / "figures" / f"correlation{suffix}"
    draw_correlation([panel_of(5)], path)
    first = path.read_bytes()
    draw_correlation([panel_of(5)], path)
    assert first.startswith(magic)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_an_svg_has_r_and_every_model_as_text(tmp_path: Path) -> None:
    panel = panel_of(5)
    draw_correlation([panel, panel_of(5, seed=1)], tmp_path / "two.svg")
    text = (tmp_path / "two.svg").read_text(encoding="utf-8")
    assert f"r = {panel.correlation.pearson:.3f}" in text
    assert "5 models" in text
    assert "95 % interval" in text
    for model in panel.models:
        assert text.count(f">{model}<") == 2  # once a panel


@pytest.mark.parametrize("seed", range(3))
def test_names_cover_neither_one_another_nor_leave_the_figure(seed: int) -> None:
    figure = correlation_figure.plot([panel_of(9, seed)])
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # moves every name to its place
    labels = [each for each in figure.axes[0].texts if isinstance(each, Annotation)]
    boxes = [Text.get_window_extent(label, canvas.get_renderer()) for label in labels]
    assert len(boxes) == 9
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


def test_without_an_interval_the_figure_claims_none(tmp_path: Path) -> None:
    draw_correlation([panel_of(3)], tmp_path / "three.svg")
    text = (tmp_path / "three.svg").read_text(encoding="utf-8")
    assert "3 models" in text
    assert "interval" not in text


def test_two_models_at_one_point_are_both_named() -> None:
    x, y = [1.0, 1.0, 2.0, 3.0], [1.0, 1.0, 3.0, 2.0]
    found = correlate(x, y)
    twins = Panel(x_name="x", y_name="y", models=["one", "other", "c", "d"], x=x, y=y, correlation=found)
    figure = correlation_figure.plot([twins])
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert places["one"] != places["other"]


def test_another_suffix_or_nothing_to_draw_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a figure ends in \.png, \.svg, \.pdf"):
        draw_correlation([panel_of(4)], tmp_path / "figure.jpg")
    with pytest.raises(InputError, match="nothing to draw"):
        draw_correlation([], tmp_path / "figure.png")
    assert list(tmp_path.iterdir()) == []

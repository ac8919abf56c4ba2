"""The page of tiny runs: nothing that a run may lack, and nothing that a text may hold, breaks it."""

import json
import re
import shutil
import subprocess
import sys
import webbrowser
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean, stdev

import pytest

from ralign.lab.config import ArmConfig, LabConfig, ModelConfig, preset_path, read_recipe
from ralign.lab.options import LabOptions
from ralign.lab.page.report import command_line, open_page, write_report
from ralign.lab.page.tables import correlation
from ralign.lab.seeds import run_seeds
from ralign.lab.statistics import Prediction, over_seeds
from ralign.lab.vocabulary import DOMAINS

BASE = ArmConfig(name="base", reward="none")
OUTCOME = ArmConfig(name="outcome-only", reward="outcome")
RALIGN = ArmConfig(name="r-align", reward="ralign")
EVIL = "<script>alert('&')</script>"


def tiny(*arms: ArmConfig) -> LabConfig:
    config = read_recipe(preset_path("graded"))
    return replace(
        config,
        model=ModelConfig(width=16, layers=1, heads=2),
        phases=tuple(replace(phase, steps=2, pairs=8, noted=8, answers=4) for phase in config.phases),
        arms=arms,
        judge_rl=replace(config.judge_rl, steps=2, prompts=4, group_size=4),
        policy_rl=replace(config.policy_rl, steps=2, prompts=4, group_size=4, evaluated=10),
        benchmark=replace(config.benchmark, pairs=12),
    )


def page(out: Path, *arms: ArmConfig, seeds: tuple[int, ...] = (3,), **flags: object) -> str:
    run_seeds(tiny(*arms), seeds, out, jobs=1)
    return write_report(out, seeds, LabOptions(out=out, **flags)).read_text(encoding="utf-8")


class Checked(HTMLParser):
    """Raises where a tag is not closed, or not the one that is open; gathers what a browser would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.fetched: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    out = tmp_path_factory.mktemp("three")
    return out, page(out, BASE, OUTCOME, RALIGN)


def test_the_page_is_whole_and_fetches_nothing(three):
    checked = Checked(three[1])
    assert not checked.fetched
    assert not checked.seen & {"script", "link", "iframe", "img"}
    assert "url(http" not in three[1]
    assert "@import" not in three[1]


def test_no_figure_is_nan_or_none_and_no_slot_is_left(three):
    body = three[1].partition("</style>")[2]
    assert not re.search(r"\b(nan|inf|None)\b", body)
    assert not re.search(r"\$[a-z]", body)


def test_every_judge_is_in_every_table(three):
    tables = re.findall(r"<table.*?</table>", three[1])
    assert len(tables) == 4 + len(DOMAINS)
    assert all(name in table for table in tables for name in ("base", "outcome-only", "R-Align"))


def test_every_figure_of_a_table_names_its_column(three):
    """So that a narrow screen needs no scrolling: there each row is a block, and the head is gone."""
    stacked = [table for table in re.findall(r"<table.*?</table>", three[1]) if 'class="stack' in table]
    assert len(stacked) == 4
    for table in stacked:
        cells = re.findall(r"<td[^>]*>", table)
        assert cells
        assert all(re.search(r' data-label="[^"]+"', cell) for cell in cells)


def test_a_name_with_a_hyphen_stays_in_one_line(three):
    body = three[1].partition("<body>")[2]
    text = re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)
    loose = re.sub(r'<span class="nb">[^<]*</span>|<[^>]*>', "", text)
    assert not re.search(r"R-Align|S-Corr|F-Score|L-Acc", loose)
    assert '<span class="nb">' not in "".join(re.findall(r"<svg.*?</svg>", body, flags=re.DOTALL))


def test_one_seed_has_no_correlation(three):
    assert "too few judges for a correlation" in three[1]
    assert 'class="trend"' not in three[1]
    within = over_seeds([0.8, 0.9, 0.85])
    assert correlation(Prediction(within, None, None)) == "r = 0.85 within a seed"


def test_figures_are_those_of_the_run(three):
    out, text = three
    result = json.loads((out / "seed-3" / "result.json").read_text())
    for arm in result["arms"]:
        assert f"{100 * arm['splits']['train']['label_accuracy']:.1f}" in text
        qualities = [policy["worth"]["quality"] for policy in arm["policies"]]
        assert len(qualities) == 2
        assert f"{fmean(qualities):.3f}" in text
        assert f"its policies ± {stdev(qualities):.3f}" in text


def test_the_same_run_gives_the_same_page(three):
    out, text = three
    assert write_report(out, [3], LabOptions(out=out)).read_text(encoding="utf-8") == text


def test_one_judge_alone_has_a_page_that_compares_nothing(tmp_path):
    text = page(tmp_path, BASE)
    Checked(text)
    assert "The judges of this run, measured" in text
    assert "nothing is compared" in text
    assert "✓" not in text


def test_several_seeds_have_deviations_and_each_its_row(three, tmp_path):
    shutil.copytree(three[0] / "seed-3", tmp_path / "seed-3")  # a seed that is there is not run again
    text = page(tmp_path, BASE, OUTCOME, RALIGN, seeds=(3, 4))
    Checked(text)
    assert "Means over 2 seeds" in text
    assert "Every seed" in text
    assert 'class="band"' in text
    assert "±" in text


def test_what_a_recipe_calls_a_judge_is_text_and_no_html(tmp_path):
    """With every reward there is, and both orders."""
    names = {"base": "none", EVIL: "outcome", '"><b>': "ralign", "sum": "hybrid", "points": "points"}
    config = tiny(*(ArmConfig(name=name, reward=reward) for name, reward in names.items()))
    config = replace(config, benchmark=replace(config.benchmark, orders="both"))
    run_seeds(config, [3], tmp_path, jobs=1)
    text = write_report(tmp_path, [3], LabOptions(out=tmp_path)).read_text(encoding="utf-8")
    assert "script" not in Checked(text).seen
    assert "&lt;script&gt;alert('&amp;')&lt;/script&gt;" in text
    assert '"><b>' not in text


def test_a_quick_run_is_called_one(three):
    out, text = three
    quick = write_report(out, [3], LabOptions(out=out, quick=True)).read_text(encoding="utf-8")
    note = "A quick run: every stage ran, none long enough to show what the method does"
    assert f"<h1>{note}</h1>" in quick
    assert note not in text
    assert "run <code>ralign lab</code>" in quick
    assert "ralign lab --quick" in quick


def test_the_command_leaves_out_what_is_not_said():
    assert command_line(LabOptions()) == "ralign lab"
    options = LabOptions(preset="honest", seeds="0,1", quick=True, out=Path("a b"))
    assert command_line(options) == "ralign lab --preset honest --seeds 0,1 --quick --out 'a b'"


@pytest.mark.parametrize(
    ("terminal", "display", "opened"), [(True, True, 1), (True, False, 0), (False, True, 0)]
)
def test_a_page_opens_only_before_somebody(monkeypatch, tmp_path, terminal, display, opened):
    pages = []
    monkeypatch.setattr(webbrowser, "open", lambda url: pages.append(url) or True)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", ":0")
    assert open_page(tmp_path / "report.html") == bool(opened)
    assert pages == [(tmp_path / "report.html").as_uri()] * opened


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to lay the page out")
def test_a_phone_needs_no_scrolling_sideways(three, tmp_path):
    """The page in a frame as wide as a phone; a script beside it reads how wide the page and its tables came out."""
    outer = f"""<iframe width=390 height=800 srcdoc="{escape(three[1])}"></iframe><script>onload = () => {{
        const page = document.querySelector("iframe").contentDocument;
        const wide = [page.documentElement, ...page.querySelectorAll(".scroll")]
            .filter(each => each.clientWidth && each.scrollWidth > each.clientWidth).length;
        document.body.textContent = `looked at ${{page.querySelectorAll(".scroll").length}}, too wide ${{wide}}`;
    }}</script>"""
    (tmp_path / "outer.html").write_text(outer, encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command += ["--virtual-time-budget=2000", "--dump-dom", (tmp_path / "outer.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "looked at 4, too wide 0" in done.stdout, done.stdout[-300:] or done.stderr[-300:]

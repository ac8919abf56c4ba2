import math

import pytest

from ralign.report.markup import Html, join, number, per_cent, tag

NARROW = "\N{NARROW NO-BREAK SPACE}"


def test_text_is_escaped_and_html_is_not():
    assert tag("p", "<b> & co", tag("b", "<")) == "<p>&lt;b&gt; &amp; co<b>&lt;</b></p>"


def test_what_stands_in_attributes_is_escaped_too():
    assert tag("a", title='"><script>') == '<a title="&quot;&gt;&lt;script&gt;"></a>'


def test_names_of_attributes_lose_their_underscores_and_empty_ones_are_left_out():
    assert tag("rect", class_="dot", stroke_width=1.50, x=None, y=0) == (
        '<rect class="dot" stroke-width="1.5" y="0"></rect>'
    )


def test_children_may_be_nested_and_missing():
    assert join([None, "a", ["<", Html("<br>")]]) == "a&lt;<br>"


def test_figures_always_have_as_many_decimals():
    assert (number(0.5), number(-1), number(2.345, decimals=1)) == ("0.500", "\N{MINUS SIGN}1.000", "2.3")
    assert (per_cent(0.5), per_cent(-0.0123, "", sign=True)) == (f"50.0{NARROW}%", "\N{MINUS SIGN}1.2")
    assert number(0.25, sign=True) == "+0.250"


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_dash(missing):
    assert number(missing) == per_cent(missing) == "–"


@pytest.mark.parametrize("nothing", [-0.0, -0.0004])
def test_nothing_has_no_sign(nothing):
    assert number(nothing) == "0.000"
    assert per_cent(nothing, "") == "0.0"

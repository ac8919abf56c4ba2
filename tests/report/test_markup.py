from ralign.report.markup import Html, join, tag


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

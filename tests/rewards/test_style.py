from ralign.rewards.reward_hacking import GradedAnswer, signs_of
from ralign.rewards.style import Style, style_of

MARKED = """# Garlic
Plant it **in October**, or __in November__.

1. Break the bulb.
2. Plant each clove.
   - Point up.
* Water.
Not 3. this, nor 2 * 3 * 4.

```
# a comment
- no item, **no bold**
```
"""


def test_markdown_is_counted_and_code_is_not() -> None:
    assert style_of(MARKED) == Style(length=len(MARKED), headers=1, list_items=4, bold=2)
    assert style_of("A thumb deep.") == Style(length=13, headers=0, list_items=0, bold=0)


def test_signs_of_reward_hacking_count_what_style_control_counts() -> None:
    """One definition: a list item that the controlled win rate sees is one that a stop rule sees."""
    signs = signs_of(0, [[GradedAnswer(answer=MARKED)]])
    assert (signs.headers, signs.list_items, signs.bold) == style_of(MARKED)[1:]

"""A model's text in, its thinking and its answer out. Pure; parsers of other stages use it too.

Only `<think>` and `</think>` are known. Three shapes come up:

- `<think> … </think> answer`, the usual one;
- `… </think> answer`, where the chat template has already written the opener into the prompt (Qwen, DeepSeek);
- `<think> …` cut off by the token limit: all of it is thinking, and there is no answer.

An opener counts only where thinking can start: at the beginning, or right after a closer. One in the middle of a
sentence is an answer that speaks of the tag. The last closer counts, as for `gold_rationale` in
`ralign.records`: what a thought quotes can then never reach the answer.
"""

from typing import NamedTuple

OPENER = "<think>"
CLOSER = "</think>"


class SplitText(NamedTuple):
    """A reply's two parts."""

    thinking: str | None
    """Without its tags and the blank space around it; None where there is none."""
    answer: str
    """As it came where there are no tags; otherwise without the blank space before it."""


def split_thinking(text: str) -> SplitText:
    """Part a model's text into its thinking and its answer."""
    if CLOSER not in text and not text.lstrip().startswith(OPENER):
        return SplitText(None, text)
    thinking, _, answer = text.rpartition(CLOSER)
    answer = answer.lstrip()
    if answer.startswith(OPENER):
        thinking, answer = f"{thinking}\n{answer}", ""
    thinking = thinking.replace(OPENER, "").replace(CLOSER, "").strip()
    return SplitText(thinking or None, answer)

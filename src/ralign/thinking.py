"""A model's text in, its thinking and its answer out. Pure; parsers of other stages use it too.

Known is what the families in use write (`SYNTAXES`), whichever model it is; a user may name further tags. Three shapes
come up, here in the commonest syntax:

- `<think> … </think> answer`, the usual one;
- `… </think> answer`, where the chat template has already written the opener into the prompt (Qwen, DeepSeek);
- `<think> …` cut off by the token limit: all of it is thinking, and there is no answer.

An opener counts only where thinking can start: at the beginning, or right after a closer. One in the middle of a
sentence is an answer that speaks of the tag, and so is a closer in backticks. The last closer counts, as for
`gold_rationale` in `ralign.records`: what a thought quotes can then never reach the answer.

Engines decode without special tokens. Where a family's marks are such tokens, gpt-oss leaves the names of its channels
(`analysis…assistantfinal…`), which are read here, and the others leave nothing: `marked_decoder` keeps them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ralign.errors import InputError

OPENER = "<think>"
CLOSER = "</think>"


class Syntax(NamedTuple):
    """The pair of tags around a thought."""

    opener: str
    closer: str


SYNTAXES = (
    Syntax(OPENER, CLOSER),  # DeepSeek, Qwen, GLM, Nemotron, OLMo, MiniMax, Granite 4
    Syntax("<thinking>", "</thinking>"),  # gateways before Claude; distilled models
    Syntax("<thought>", "</thought>"),  # EXAONE Deep, Gemini's own endpoint
    Syntax("[THINK]", "[/THINK]"),  # Mistral's Magistral
    Syntax("<seed:think>", "</seed:think>"),  # ByteDance Seed
    Syntax("◁think▷", "◁/think▷"),  # Kimi
    Syntax("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere Command A
    Syntax("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Syntax("<|channel>thought", "<channel|>"),  # Gemma 4
)
"""The families in use; gpt-oss's channels (Harmony) are no pair of tags and read apart."""

_TAGS = frozenset(tag for syntax in SYNTAXES for tag in syntax) | {"<|channel>"}
_HARMONY_TAGS = frozenset({"<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>"})

# Harmony: every channel but `final` is thinking. Decoded without special tokens the names of the channels are left.
_CHANNEL = "<|channel|>"
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_HARMONY_MARKS = re.compile(
    r"(?:<\|start\|>[^<]*|<\|channel\|>[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>|<\|(?:end|return|call)\|>)+"
)
_BARE = ("analysis", "commentary")
_BARE_FINAL = "assistantfinal"
_BARE_MARKS = re.compile(r"^\s*(?:analysis|commentary)|assistant(?:analysis|commentary)")

# Cohere's models mark the answer, too.
_RESPONSE = re.compile(r"\s*<\|START_RESPONSE\|>(.*?)(?:<\|END_RESPONSE\|>\s*)?", re.DOTALL)


class SplitText(NamedTuple):
    """A reply's two parts."""

    thinking: str | None
    """Without its tags and the blank space around it; None where there is none."""
    answer: str
    """As it came where there are no tags; otherwise without the blank space before it."""


def split_thinking(text: str, more: Sequence[Syntax] = ()) -> SplitText:
    """Part a model's text into its thinking and its answer; `more`: the user's tags, beside the known ones."""
    if (channels := _split_channels(text)) is not None:
        return channels
    syntaxes = (*more, *SYNTAXES)
    thoughts: list[str] = []
    answer = text
    if _opened(text, syntaxes) is None:
        for syntax in syntaxes:
            if syntax.closer in text and (parts := _at_last_closer(text, syntax)) is not None:
                thoughts.append(_untagged(parts[0], syntax))
                answer = parts[1]
                break
        else:
            return SplitText(None, text)
    while (syntax := _opened(answer, syntaxes)) is not None:
        thought, answer = _at_last_closer(answer, syntax) or (answer, "")
        thoughts.append(_untagged(thought, syntax))
    if (response := _RESPONSE.fullmatch(answer)) is not None:
        answer = response[1]
    return SplitText("\n".join(filter(None, thoughts)) or None, answer)


def starts_with_thought(text: str, more: Sequence[Syntax] = ()) -> bool:
    """Whether the text begins with a mark that opens a thought."""
    return _opened(text, (*more, *SYNTAXES)) is not None or text.lstrip().startswith(_CHANNEL)


def opens_thought(prompt: str) -> bool:
    """Whether a rendered prompt ends with a mark that opens a thought, so that an answer begins inside it."""
    return prompt.rstrip().endswith(tuple(syntax.opener for syntax in SYNTAXES))


def retagged(text: str, given: Iterable[Syntax]) -> str:
    """The text with these tags in the commonest syntax, for readers that know nothing of a user's own."""
    for opener, closer in given:
        text = text.replace(opener, OPENER).replace(closer, CLOSER)
    return text


def read_syntaxes(flag: str, given: Iterable[str]) -> tuple[Syntax, ...]:
    """Tags as a flag names them: the opening one, a space, the closing one.

    Raises:
        InputError: not two tags.
    """
    found: list[Syntax] = []
    for text in given:
        tags = text.split()
        if len(tags) != 2 or tags[0] == tags[1]:
            raise InputError(
                f"{flag} is '{text}', expected an opening and a closing tag with a space between, as in "
                f"'{OPENER} {CLOSER}'"
            )
        found.append(Syntax(*tags))
    return tuple(found)


def marked_decoder(tokenizer: Any) -> Callable[[Iterable[int]], str] | None:
    """Decodes tokens without the special ones, but for those that mark a thought; None where none of them does.

    `tokenizer`: a Hugging Face one.
    """
    special = _special_tokens(tokenizer)
    # `<|end|>` is an ordinary end of a turn where there are no channels.
    known = _TAGS | _HARMONY_TAGS if _CHANNEL in special.values() else _TAGS
    left_out = {number for number, token in special.items() if token not in known}
    if len(left_out) == len(special):
        return None

    def decode(tokens: Iterable[int]) -> str:
        return tokenizer.decode(
            [token for token in tokens if token not in left_out], skip_special_tokens=False
        )

    return decode


def lost_marks(tokenizer: Any) -> list[str]:
    """The marks of a thought that decoding without special tokens leaves no trace of; in Harmony names are left."""
    return sorted(_TAGS.intersection(_special_tokens(tokenizer).values()))


def _special_tokens(tokenizer: Any) -> dict[int, str]:
    # The list of added tokens and not `all_special_tokens`: decoding goes by the flag in the former.
    added: dict[int, Any] = getattr(tokenizer, "added_tokens_decoder", {})
    return {number: str(token) for number, token in added.items() if token.special}


def _split_channels(text: str) -> SplitText | None:
    """The parts of what gpt-oss writes; None where it is not."""
    start = text[:40].lstrip()
    if _CHANNEL in text:
        finals = list(_FINAL.finditer(text))
        if not finals and not start.startswith((_CHANNEL, "<|start|>")):
            return None  # an answer that speaks of the mark
        end, begin = finals[-1].span() if finals else (len(text), len(text))
        thinking, answer = (_HARMONY_MARKS.sub("\n", part).strip() for part in (text[:end], text[begin:]))
    elif start.startswith(_BARE):
        thinking, final, answer = text.rpartition(_BARE_FINAL)
        if not final:
            # Cut off: a channel's name runs into the thought's first word, where a sentence has a space.
            if re.match(r"(?:analysis|commentary)[A-Z]", start) is None:
                return None
            thinking, answer = text, ""
        thinking = _BARE_MARKS.sub("\n", thinking).strip()
    else:
        return None
    return SplitText(thinking or None, answer.lstrip())


def _opened(text: str, syntaxes: Sequence[Syntax]) -> Syntax | None:
    """The syntax whose opener the text begins with."""
    head = text.lstrip()
    if not head.startswith(("<", "[", "◁")) and len(syntaxes) == len(SYNTAXES):  # nearly always
        return None
    return next((syntax for syntax in syntaxes if head.startswith(syntax.opener)), None)


def _at_last_closer(text: str, syntax: Syntax) -> tuple[str, str] | None:
    """Text before and behind the last closer; None where there is none."""
    end = len(text)
    while (at := text.rfind(syntax.closer, 0, end)) >= 0:
        after = at + len(syntax.closer)
        # In backticks it is spoken of. Three of them open a block of code, with which many an answer begins.
        spoken_of = text[at - 1 : at] == "`" and text[after : after + 2].rstrip() == "`"
        if not spoken_of:
            return text[:at], text[after:].lstrip()
        end = at
    return None


def _untagged(thought: str, syntax: Syntax) -> str:
    return thought.replace(syntax.opener, "").replace(syntax.closer, "").strip()

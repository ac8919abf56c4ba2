"""Verdict formats: in which words a judge is asked for its verdict, and where it is found again. Pure.

One entry of `FORMATS` a format: a pattern, the letters that may stand there, whether there are ties, and the sentence
that asks for it, which our own prompt then uses. A regular expression of the user's is one more (`verdict_format`).

What stands in a box or bracket is read with tolerance, for models write `\\boxed{\\text{B}}`, `[[Ａ]]`, `{答案A}` and
mean it. What is no verdict (`\\boxed{42}`, a result quoted from an answer; `\\boxed{A or B}`, the format quoted from
the prompt) is passed over. Of several verdicts the last one counts where the format says so; elsewhere two that
disagree are none, as nobody knows which was meant.
"""

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from ralign.errors import InputError
from ralign.records import Verdict

_TIE_PHRASES = ("a tie", "it is a tie", "a draw", "a and b", "both are equal", "equally good")
_TIE_WORDS = (
    "tie tied draw equal both neither same empate égalité unentschieden gleichstand pareggio remis beraberlik hòa "
    "ничья 平局 平手 相当 一样好 引き分け 同等 무승부 동점"
)
_TIES: dict[str, Verdict] = dict.fromkeys((*_TIE_PHRASES, *_TIE_WORDS.split()), "tie")
_LETTERS: dict[str, Verdict] = {"a": "A", "b": "B"}
_THIRD: dict[str, Verdict] = {"c": "tie"}
_COMPARED: dict[str, Verdict] = {
    **dict.fromkeys(("a>b", "a>>b", "b<a", "b<<a"), cast(Verdict, "A")),
    **dict.fromkeys(("b>a", "b>>a", "a<b", "a<<b"), cast(Verdict, "B")),
    **dict.fromkeys(("a=b", "b=a"), cast(Verdict, "tie")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictFormat:
    """One way of writing a verdict."""

    name: str
    """As `--verdict` takes it."""
    shown: str
    """The verdict as a message names it: `no \\boxed verdict`."""
    pattern: re.Pattern[str]
    """Finds a verdict. Its group `verdict` is looked up in `letters`; or a group `A`, `B` or `tie` is the verdict."""
    letters: Mapping[str, Verdict]
    """What the group `verdict` may hold, dress and spelling aside."""
    ties: bool = False
    """Whether the judge may say that neither is better. A tie is read as one in any format."""
    last_counts: bool = False
    """Of several verdicts the last one counts; otherwise two that disagree are none."""
    written: tuple[str, str] | None = None
    """How a judge writes A and B, up to the character that tells them apart; None where nobody can know."""
    ask: str = ""
    """The sentences of our own prompt that ask for it; empty where only the user's prompt can."""
    remind: str = ""
    """The end of our own prompt."""
    opening: str = ""
    """What stands before the rationale, which is then a JSON string; empty where the rationale is the text itself."""
    response_format: str | None = None
    """The JSON schema that a server is asked to hold the answer to, as the `response_format` of a request."""

    def find(self, text: str) -> Iterator["Found"]:
        """Everything in a text that is written as this format writes a verdict, whether or not it holds one."""
        for match in self.pattern.finditer(text):
            groups = match.groupdict()
            if (content := groups.get("verdict")) is not None:
                yield Found(match.start(), match.end(), content, *_read(content, self.letters))
            else:
                named = next((name for name in ("A", "B", "tie") if groups.get(name) is not None), None)
                yield Found(match.start(), match.end(), match[0], cast("Verdict | None", named), False)


class Found(NamedTuple):
    """A place in a text that is written as a verdict."""

    start: int
    end: int
    content: str
    verdict: Verdict | None
    """Its spelling aside; None where it holds none."""
    much: bool
    """Whether it says much better: `A>>B`."""


_NO_TIES = "There are no ties: if it is close, the reasons that remain decide."
_JSON_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "judgment",
        "strict": True,
        "schema": {
            "type": "object",
            # In this order: a model that has to name the verdict first would reason towards it.
            "properties": {
                "rationale": {"type": "string"},
                "verdict": {"type": "string", "enum": ["A", "B"]},
            },
            "required": ["rationale", "verdict"],
            "additionalProperties": False,
        },
    },
}

# Content of a bracket that is never closed counts only at the very end: there a stop sequence or a lost token took the
# closing one. Quantifiers are possessive (`*+`): a text full of openings must not cost quadratic time.
_BRACKETS = (
    r"\\?[\[［【]\\?[\[［【](?P<verdict>[^\[\]［］【】\n]{1,60}+)(?:[\]］】]\\?[\]］】]|[\]］】]?\s*+\Z)"
)
_IN_BRACES = r"(?:[^{}｛｝]|\{(?:[^{}]|\{[^{}]*+(?:\}|\Z))*+(?:\}|\Z)){0,200}+"

BOXED = VerdictFormat(
    name="boxed",
    shown="\\boxed",
    # A JSON string that was decoded once too often has a backspace for `\b`; once too seldom, two backslashes.
    pattern=re.compile(rf"(?:\x08|\\b)oxed\s{{0,4}}\\?[{{｛](?P<verdict>{_IN_BRACES})(?:[}}｝]|\s*+\Z)"),
    letters=_LETTERS | _COMPARED | _TIES,
    written=("\\boxed{A}", "\\boxed{B}"),
    ask=f"Then, alone on the last line, the verdict: \\boxed{{A}} if answer A is better, \\boxed{{B}} if answer B is"
    f" better. {_NO_TIES} Use \\boxed nowhere else, not even to quote a result that an answer has in a box.",
    remind="Now write the rationale, and on the last line \\boxed{A} or \\boxed{B}.",
)
"""The paper's, and the default."""

FORMATS: Mapping[str, VerdictFormat] = {
    each.name: each
    for each in (
        BOXED,
        VerdictFormat(
            name="rm-r1",
            shown="<answer>",
            pattern=re.compile(r"<answer>\s*+(?P<verdict>[^<>\n]{1,60})\s*+(?:</answer>|\Z)", re.IGNORECASE),
            letters=_LETTERS | _TIES,
            # "Output your final verdict at last": the reasoning before it may quote the form.
            last_counts=True,
            written=("<answer>[[A]]</answer>", "<answer>[[B]]</answer>"),
            ask="Then, alone on the last line, the verdict: <answer>[[A]]</answer> if answer A is better,"
            f" <answer>[[B]]</answer> if answer B is better. {_NO_TIES}",
            remind="Now write the rationale, and on the last line <answer>[[A]]</answer> or <answer>[[B]]</answer>.",
        ),
        VerdictFormat(
            name="arena-hard",
            shown="[[A>B]]",
            pattern=re.compile(_BRACKETS),
            letters=_COMPARED | _TIES,
            ties=True,
            # Arena-Hard-Auto 2 takes the last one; 0.1 took none where two disagreed.
            last_counts=True,
            written=("[[A>B]]", "[[B>A]]"),
            ask="Then, alone on the last line, the verdict: [[A>>B]] if answer A is much better, [[A>B]] if it is"
            " slightly better, [[A=B]] if neither is, [[B>A]] if answer B is slightly better, [[B>>A]] if it is much"
            " better.",
            remind="Now write the rationale, and on the last line [[A>>B]], [[A>B]], [[A=B]], [[B>A]] or [[B>>A]].",
        ),
        VerdictFormat(
            name="mt-bench",
            shown="[[A]]",
            pattern=re.compile(_BRACKETS),
            letters=_LETTERS | _TIES | _THIRD,
            ties=True,
            last_counts=True,
            written=("[[A]]", "[[B]]"),
            ask="Then, alone on the last line, the verdict: [[A]] if answer A is better, [[B]] if answer B is better,"
            " [[C]] if neither is.",
            remind="Now write the rationale, and on the last line [[A]], [[B]] or [[C]].",
        ),
        VerdictFormat(
            name="prometheus",
            shown="[RESULT]",
            pattern=re.compile(
                r"\\?[\[［]\s?result\s?\\?[\]］]:?\s*+(?P<verdict>[^\n]{1,60})", re.IGNORECASE
            ),
            letters=_LETTERS | _TIES,
            written=("[RESULT] A", "[RESULT] B"),
            ask="Then, alone on the last line, the verdict: [RESULT] A if answer A is better, [RESULT] B if answer B is"
            f" better. {_NO_TIES} Write [RESULT] nowhere else.",
            remind="Now write the rationale, and on the last line [RESULT] A or [RESULT] B.",
        ),
        VerdictFormat(
            name="llmbar",
            shown="Output (a)",
            # "Output (b) is better"; or nothing else at all, as LLMBar's prompt without a rationale asks for it.
            pattern=re.compile(
                r"(?P<alone>\A\W*+)?\boutput[ \t]*[*_]{0,3}[(（](?P<verdict>[ab])[)）][*_\"'`”]{0,3}"
                r"(?(alone)(?:\W*+\Z|\s+is\s+(?:the\s+)?better\b)|\s+is\s+(?:the\s+)?better\b)",
                re.IGNORECASE,
            ),
            letters=_LETTERS,
            written=("Output (a) is better.", "Output (b) is better."),
            ask="Call answer A Output (a) and answer B Output (b). Then, alone on the last line, the verdict:"
            f" Output (a) is better. Or: Output (b) is better. {_NO_TIES} Say that one is better nowhere else.",
            remind="Now write the rationale, and on the last line: Output (a) is better. Or: Output (b) is better.",
        ),
        VerdictFormat(
            name="json",
            shown='JSON "verdict"',
            # The pair alone and not the whole object: a rationale with a bare quote or line break breaks the object,
            # and the verdict behind it is as plain as before. Inside a string its quotes would have backslashes.
            pattern=re.compile(
                r"(?<!\\)[\"'“”]verdict[\"'“”]\s*:\s*[\"'“”]?(?P<verdict>[^\"'“”,{}\n]{1,60})[\"'“”]?",
                re.IGNORECASE,
            ),
            letters=_LETTERS | _COMPARED | _TIES,
            written=('"verdict": "A"', '"verdict": "B"'),
            ask="Write both as one JSON object and nothing else, the rationale first:"
            ' {"rationale": "…", "verdict": "A"}, with "A" if answer A is better and "B" if answer B is better.'
            f" {_NO_TIES}",
            remind='Now write the JSON object: {"rationale": "…", "verdict": "A"}, or with "B".',
            opening='{"rationale": "',
            response_format=json.dumps(_JSON_SCHEMA),
        ),
    )
}
"""The formats by name, the narrower before the wider: the brackets of rm-r1 are mt-bench's, too."""


def verdict_format(given: str) -> VerdictFormat:
    """The format of `--verdict`: a name, or a regular expression with a group `verdict`, or groups `A` and `B` (`tie`).

    Raises:
        InputError: neither.
    """
    if given in FORMATS:
        return FORMATS[given]
    try:
        pattern = re.compile(given)
    except re.error as error:
        raise InputError(f"--verdict is {given!r}, which is no regular expression: {error}") from None
    if "verdict" not in pattern.groupindex and not {"A", "B"} <= pattern.groupindex.keys():
        raise InputError(
            f"--verdict is {given!r}, expected {', '.join(FORMATS)}, or a regular expression with a group "
            "(?P<verdict>…), or with groups (?P<A>…) and (?P<B>…)"
        )
    return VerdictFormat(
        name=given, shown="matching", pattern=pattern, letters=_LETTERS | _COMPARED | _TIES | _THIRD
    )


def suggested_flag(but: VerdictFormat) -> Callable[[list[str]], str | None]:
    """Names, of texts that the format `but` could not read, the flag that reads most; None where none reads half."""

    def suggest(texts: list[str]) -> str | None:
        read = {
            name: sum(read_verdict(plain(text), each).verdict is not None for text in texts)
            for name, each in FORMATS.items()
            if name != but.name
        }
        best = max(read, key=read.__getitem__)
        return f"--verdict {best}" if texts and 2 * read[best] >= len(texts) else None

    return suggest


_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")


def plain(text: str) -> str:
    """A text without the characters that nobody sees (zero-width spaces, byte-order marks, soft hyphens)."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


# Commands that only dress a text. Any other makes it a formula: the root of b is no vote for B.
_DRESS = re.compile(
    r"\\(?:text[a-z]*|math(?:bf|rm|it|sf|tt|normal)|operatorname|boldsymbol|bm|bf|rm|it|[mf]box|boxed|emph"
    r"|underline|[lL]arge|LARGE|[hH]uge|displaystyle|quad)(?![a-zA-Z])|\\[^a-zA-Z]"
)
_COMPARISONS = {
    "≻": ">",
    "≫": ">>",
    "≺": "<",
    "≪": "<<",
    "≈": "=",
    "\\succ": ">",
    "\\gg": ">>",
    "\\approx": "=",
}
_COMPARISON = re.compile("|".join(map(re.escape, _COMPARISONS)))
# Found around the letters of real judges: emphasis, quotes, brackets, a full stop, marks of writing direction.
_DECORATION = re.compile(r"[\s{}()\[\]*_`$~\"'“”‘’«»「」『』<>.,:;!#\\\u200c-\u200f-]+")
_ANGLES = re.compile(r"\s*(<{1,2}|>{1,2}|={1,2})\s*")
_SIGN = {"==": "="}
# Words for "answer", "the better answer", "the verdict is" before the letter, in the languages judges are asked in.
_BEFORE = re.compile(
    r"(?:(?:(?:the|my|final|overall|better|best|preferred|winning|verdict|winner|assistant|response|answer|option"
    r"|candidate|output|choice|model|completion|chatbot|reply|solution|text|decision|is"
    r"|la|le|el|il|die|der|das|de|mejor|meilleure?|migliore|bessere|beste|melhor|lösung|antwort|réponse|respuesta"
    r"|resposta|risposta|opción|opção|opzione|option|antwoord|odpowiedź|odpověď|svar|cevap|yanıt|seçenek|jawaban"
    r"|đáp án|câu trả lời|ответ|вариант|лучший|лучше|ассистент|відповідь|варіант|απάντηση|إجابة|الإجابة|الجواب|الرد"
    r"|پاسخ|תשובה|उत्तर|जवाब|উত্তর|คำตอบ)(?![^\W\d_])"
    # Scripts without blanks between words.
    r"|答案|回答|回复|回覆|答复|回應|回应|選項|选项|選擇|选择|助手|模型|输出|輸出|结论|結論|方案|最终|最終|更好的|较好的|胜者|是|为|為|應答"
    r"|応答|解答|答え|選択肢|アシスタント|は|답변|응답|정답|답|어시스턴트|선택|모델)\s*)++"
)
_AFTER = re.compile(
    r"\s*(?:(?:is better|is the better (?:one|answer|response)|is preferred|wins|better"
    r"|更好|较好|較好|更优|更優|更佳|胜出|勝出|胜|勝|がより良い|の方が良い|が良い|이 더 좋다|가 더 좋다))"
)
# Cyrillic and Greek capitals that look like A and B, and are typed for them.
_LOOKALIKES = str.maketrans("аαвβ", "aabb")


def _read(content: str, letters: Mapping[str, Verdict]) -> tuple[Verdict | None, bool]:
    """The verdict that a box or bracket holds, and whether it says "much better"."""
    if content == "A" or content == "B":  # nearly always
        return letters.get(content.lower()), False
    text = unicodedata.normalize("NFKC", html.unescape(plain(content)))
    text = _COMPARISON.sub(lambda match: _COMPARISONS[match[0]], text)
    text = _DRESS.sub(" ", text).casefold()
    # A comparison's own signs first: elsewhere angle brackets are decoration (`<A>`).
    sides = _ANGLES.split(text)
    if len(sides) == 3 and all(side.strip() for side in sides[::2]):
        text = _SIGN.get(sides[1], sides[1]).join(_bare(side) for side in sides[::2])
        return letters.get(text), len(sides[1]) == 2 and sides[1] != "=="
    return letters.get(_bare(text)), False


def _bare(text: str) -> str:
    """A letter without the words and marks around it; a text that is none comes back without the marks alone."""
    text = " ".join(_DECORATION.sub(" ", text).split())
    before = _BEFORE.match(text)
    letter = text[before.end() :] if before is not None else text
    after = _AFTER.search(letter)
    if after is not None and after.end() == len(letter):
        letter = letter[: after.start()]
    letter = letter.strip().translate(_LOOKALIKES)
    return letter if len(letter) == 1 else text


Kind = Literal["two_verdicts", "no_verdict"]


class ReadVerdict(NamedTuple):
    """The verdict of an answer, or why it has none."""

    verdict: Verdict | None
    much: bool
    at: tuple[Found, ...]
    """The places that say so; empty where there is no verdict."""
    reason: Kind | None
    problem: str | None
    """The reason in a few words."""


def read_verdict(answer: str, written_in: VerdictFormat) -> ReadVerdict:
    """The verdict of a whole answer: the last, or the one on which all agree."""
    found = list(written_in.find(answer))
    votes = tuple(each for each in found if each.verdict is not None)
    if not votes:
        other = f", but {' '.join(found[-1].content.split())[:40]!r} in its place" if found else ""
        return ReadVerdict(None, False, (), "no_verdict", f"no {written_in.shown} verdict{other}")
    if written_in.last_counts:
        votes = votes[-1:]
    if len(different := {str(vote.verdict) for vote in votes}) > 1:
        problem = f"two different verdicts: {', '.join(sorted(different))}"
        return ReadVerdict(None, False, (), "two_verdicts", problem)
    return ReadVerdict(votes[-1].verdict, votes[-1].much, votes, None, None)


def rationale_field(answer: str) -> str | None:
    """The `rationale` of a JSON answer, unescaped; None where there is none."""
    match = re.search(
        r"[\"“”]rationale[\"“”]\s*:\s*\"((?:[^\"\\]|\\.)*+)\"", answer, re.DOTALL | re.IGNORECASE
    )
    if match is None:
        return None
    try:
        found: Any = json.loads(f'"{match[1]}"', strict=False)
    except json.JSONDecodeError:
        return match[1]
    return str(found)

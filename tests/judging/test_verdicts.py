"""Verdict formats: what each reads, what it passes over, what it asks for."""

import json
import re
import time
from pathlib import Path

import pytest

from ralign.errors import InputError
from ralign.judging import (
    BOXED,
    FORMATS,
    VerdictFormat,
    judge_prompt,
    parse_verdict,
    suggested_flag,
    up_to_verdict,
    verdict_format,
)
from ralign.records import Message

CASES = Path(__file__).parents[3] / "shared/cases/verdicts.jsonl"
REASONS = "Answer B invents a ferry."


@pytest.mark.skipif(not CASES.exists(), reason="the cases in ../shared are not there")
def test_every_case_gives_what_is_expected() -> None:
    for line in CASES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found = parse_verdict(row["text"], written_in=FORMATS[row["format"]])
        assert found.verdict == row["verdict"], row
        assert (found.reason is None) == (row["verdict"] is not None)


@pytest.mark.parametrize(
    ("name", "end", "verdict"),
    [
        # Other scripts, widths and words for "answer".
        ("boxed", r"\boxed{Ｂ}", "B"),
        ("boxed", "\\boxed{回答 B}", "B"),
        ("boxed", "\\boxed{选项Ａ}", "A"),
        ("boxed", "\\boxed{A更好}", "A"),
        ("boxed", "\\boxed{답변 B}", "B"),
        ("boxed", "\\boxed{Ответ А}", "A"),  # a Cyrillic A
        ("boxed", "\\boxed{Réponse B}", "B"),
        ("boxed", "\\boxed{Die bessere Antwort: A}", "A"),
        ("boxed", "\\boxed{الإجابة A}", "A"),
        ("boxed", "\\boxed{𝐁}", "B"),
        ("boxed", "\\boxed{Ⓐ}", "A"),
        ("boxed", "｛\\boxed｛A｝", "A"),
        # On lines of their own, and in bold.
        ("rm-r1", "<answer>\n[[B]]\n</answer>", "B"),
        ("prometheus", "[RESULT]\n\nA", "A"),
        ("llmbar", "Output **(b)** is better.", "B"),
        # Characters that nobody sees.
        ("boxed", "\\boxed{\u200bA\u200b}", "A"),
        ("boxed", "\\bo\u200bxed{B}", "B"),
        ("mt-bench", "[\u2060[B]]", "B"),
        # Escaped too seldom, too often, and in Markdown.
        ("boxed", "\\\\boxed{B}", "B"),
        ("boxed", "\x08oxed{B}", "B"),
        ("boxed", "\\boxed\\{B\\}", "B"),
        ("arena-hard", "\\[\\[B>>A\\]\\]", "B"),
        ("arena-hard", "[[A&gt;&gt;B]]", "A"),
        # Unclosed at the very end, and only there.
        ("boxed", "\\boxed{\\text{B", "B"),
        ("boxed", "\\boxed{B \n", "B"),
        ("boxed", "\\boxed{B\n\nas said above.", None),
        ("mt-bench", "[[B]", "B"),
        ("mt-bench", "[[B", "B"),
        ("rm-r1", "<answer>[[B]]", "B"),
        ("json", '{"rationale": "x", "verdict": "B"', "B"),
        # Comparisons in a box, ties.
        ("boxed", "\\boxed{B \\gg A}", "B"),
        ("boxed", "\\boxed{A = B}", "tie"),
        ("boxed", "\\boxed{Tie}", "tie"),
        ("boxed", "\\boxed{平局}", "tie"),
        ("boxed", "\\boxed{A>A}", None),
        ("arena-hard", "**[[Assistant B > Assistant A]]**", "B"),
        ("arena-hard", "[[A<<B]]", "B"),
        ("arena-hard", "［［A=B］］", "tie"),
        ("arena-hard", "[[A]]", None),
        ("mt-bench", "[[Tie]]", "tie"),
        ("mt-bench", "[[D]]", None),
        ("mt-bench", "[[B]] and not [[A]]... rather [[C]]", "tie"),
        ("arena-hard", "[[A>>B]], [[A>B]] or [[B>A]]?\n[[B>A]]", "B"),
        (
            "rm-r1",
            "I end with <answer>[[A]]</answer> or <answer>[[B]]</answer>.\n<answer>[[B]]</answer>",
            "B",
        ),
        ("rm-r1", "<answer>B</answer>", "B"),
        ("rm-r1", "[[B]]", None),
        ("prometheus", "Feedback: vague. [RESULT] Response B", "B"),
        ("prometheus", "[RESULT]\nB", "B"),
        ("prometheus", "[Result]: (A)", "A"),
        ("prometheus", "[RESULT] A\n[RESULT] B", None),
        ("prometheus", "Result A", None),
        ("llmbar", "So **Output (b)** is better.", "B"),
        ("llmbar", "Output (a)", "A"),
        ("llmbar", "Output (b) is better.\nTherefore, Output (a) is better.", None),
        ("llmbar", "Both Output (a) and Output (b) are equally good.", None),
        ("json", '{"rationale": "A said \\"verdict\\": \\"A\\"", "verdict": "B"}', "B"),
        ("json", '{"rationale": "two\nlines, a "bare" quote", "verdict": "B"}', "B"),
        ("json", '```json\n{\n  "rationale": "x",\n  "Verdict": "answer b"\n}\n```', "B"),
        ("json", '{"rationale": "x", "verdict": "tie"}', "tie"),
        ("json", '{"rationale": "x", "verdict": null}', None),
    ],
)
def test_what_stands_for_a_verdict_is_read(name: str, end: str, verdict: str | None) -> None:
    text = end if name in ("json", "llmbar") else f"{REASONS}\n\n{end}"
    assert parse_verdict(text, written_in=FORMATS[name]).verdict == verdict


@pytest.mark.parametrize("each", FORMATS.values(), ids=FORMATS)
def test_what_a_format_says_it_writes_is_what_it_reads(each: VerdictFormat) -> None:
    assert each.written is not None
    for words, verdict in zip(each.written, ("A", "B"), strict=True):
        found = parse_verdict(f"{REASONS}\n{words}", written_in=each)
        assert (found.verdict, found.rationale, found.problem) == (verdict, REASONS, None)
        # And the words are taken apart where they begin, which a probe puts other reasons before.
        parts = up_to_verdict(f"{REASONS}\n{words}", each)
        assert parts is not None
        assert parts.rationale + parts.lead + words == f"{REASONS}\n{words}"
        assert "\\boxed" in words or parse_verdict(words).reason == "no_verdict"


@pytest.mark.parametrize("each", FORMATS.values(), ids=FORMATS)
def test_our_prompt_asks_in_the_words_of_the_format(each: VerdictFormat) -> None:
    answers = {"response_a": "At six.", "response_b": "Late."}
    (message,) = judge_prompt(None, each).render([Message(role="user", content="When?")], answers)
    assert each.ask in message.content
    assert message.content.endswith(each.remind)
    assert "verdict_request" not in message.content
    assert ("\\boxed" in message.content) == (each is BOXED)
    assert ("no ties" in message.content) == (not each.ties)
    # What the prompt quotes is no verdict of its own, but for forms whose last one counts anyway.
    assert (
        each.last_counts
        or each.name == "llmbar"
        or parse_verdict(each.remind, written_in=each).verdict in (None, "A")
    )


def test_json_is_asked_for_by_a_schema_with_the_rationale_first() -> None:
    schema = json.loads(FORMATS["json"].response_format or "")["json_schema"]["schema"]
    assert list(schema["properties"]) == ["rationale", "verdict"]
    assert schema["properties"]["verdict"]["enum"] == ["A", "B"]
    found = parse_verdict(
        '{"rationale": "B says \\"ferry\\".\\n", "verdict": "A"}', written_in=FORMATS["json"]
    )
    assert found[:3] == ('B says "ferry".', "A", None)


def test_much_better_is_kept_for_arena_hard() -> None:
    arena = FORMATS["arena-hard"]
    assert [
        parse_verdict(f"[[{said}]]", written_in=arena).much for said in ("A>>B", "A>B", "A=B", "B>>A")
    ] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("given", "text", "verdict"),
    [
        (r"Winner: (?P<verdict>\w+)", "Winner: B", "B"),
        (r"Winner: (?P<verdict>\w+)", "Winner: A\nWinner: B", None),
        (r"(?s).*Winner: (?P<verdict>\w+)", "Winner: A\nWinner: B", "B"),  # greedy: the last one counts
        (r"Score (?:(?P<A>1)|(?P<B>2)|(?P<tie>0))\b", "Score 2", "B"),
        (r"Score (?:(?P<A>1)|(?P<B>2)|(?P<tie>0))\b", "Score 0", "tie"),
        (r"Score (?:(?P<A>1)|(?P<B>2)|(?P<tie>0))\b", "Score 7", None),
    ],
)
def test_a_regular_expression_is_a_format_too(given: str, text: str, verdict: str | None) -> None:
    assert parse_verdict(text, written_in=verdict_format(given)).verdict == verdict


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("boxes", "expected boxed, rm-r1, arena-hard, mt-bench, prometheus, llmbar, json, or a regular"),
        (r"Winner: (\w+)", "with a group"),
        ("(?P<verdict>", "is no regular expression"),
    ],
)
def test_what_is_neither_is_refused(given: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        verdict_format(given)


def test_a_regular_expression_needs_a_prompt_that_asks_for_it(tmp_path: Path) -> None:
    mine = verdict_format(r"Winner: (?P<verdict>\w+)")
    with pytest.raises(InputError, match="give --judge-prompt FILE"):
        judge_prompt(None, mine)
    (tmp_path / "mine.txt").write_text("{conversation} {response_a} {response_b} Say Winner: A or Winner: B.")
    assert "conversation" in judge_prompt(tmp_path / "mine.txt", mine).names


def test_a_prompt_of_the_users_may_take_the_sentences_of_the_format(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("{conversation} {response_a} {response_b} {verdict_request}")
    prompt = judge_prompt(tmp_path / "mine.txt", FORMATS["mt-bench"])
    (message,) = prompt.render([], {"response_a": "x", "response_b": "y"})
    assert message.content.endswith(FORMATS["mt-bench"].ask)
    assert prompt.digest != judge_prompt(tmp_path / "mine.txt", BOXED).digest


@pytest.mark.parametrize(
    ("texts", "flag"),
    [
        (["So [[A>B]]", "[[B>>A]]"], "--verdict arena-hard"),
        (["So [[A]]", "[[C]]"], "--verdict mt-bench"),
        (["<answer>[[A]]</answer>"] * 3, "--verdict rm-r1"),
        (["[RESULT] A"], "--verdict prometheus"),
        (["Therefore, Output (a) is better."], "--verdict llmbar"),
        (['{"verdict": "A"}', "?"], "--verdict json"),
        (["A is better.", "B."], None),
        ([], None),
    ],
)
def test_the_format_that_would_have_read_the_texts_is_named(texts: list[str], flag: str | None) -> None:
    assert suggested_flag(BOXED)(texts) == flag


@pytest.mark.parametrize("each", FORMATS.values(), ids=FORMATS)
def test_no_format_takes_a_second_for_100_000_characters(each: VerdictFormat) -> None:
    hostile = (
        *("[[" * 50_000, "[[a " * 25_000, "[[A]]" * 20_000, "<answer>" * 12_500, "<answer> " * 11_000),
        *("[RESULT] " * 11_000, '"verdict": ' * 9_000, '"rationale": "' * 7_000, "output (a) " * 9_000),
        *(
            "\\boxed{{" * 12_000,
            "\\boxed{" + "{" * 100_000,
            "答案" * 50_000,
            "\u200b[[" * 30_000,
            " " * 100_000,
        ),
        *("$" * 100_000 + "[[A]]", "[[" + "the " * 25_000, '"verdict"' + " " * 100_000 + ":", "(" * 100_000),
    )
    for text in hostile:
        start = time.process_time()
        parse_verdict(text, written_in=each)
        assert time.process_time() - start < 1.0, text[:20]

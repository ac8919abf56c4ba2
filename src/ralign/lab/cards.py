"""Exhibits and policies' answers as HTML: every word of an answer and every claim of a judgment marked by its truth."""

from collections.abc import Mapping, Sequence

from ralign.lab.exhibits import Attempt, Exhibit
from ralign.lab.looks import START, Look
from ralign.lab.scene import Reading, Word
from ralign.records import Verdict
from ralign.report.markup import Child, Html, join, tag


def exhibit_card(exhibit: Exhibit, outcome: tuple[str, Look], ralign: tuple[str, Look]) -> Html:
    """One pair: the question, both answers, gold, and what two judges say of it."""
    where = f"asked for: {exhibit.domain} · pair {exhibit.pair_id} · seed {exhibit.seed}"
    answers = [
        tag(
            "div",
            tag("b", _title(letter, exhibit.gold.verdict)),
            words(exhibit.answers[side]),
            class_="answer",
        )
        for side, letter in enumerate("AB")
    ]
    truth = tag("p", f"In truth, {'; '.join(exhibit.truth)}.", class_="truth")
    return tag(
        "article",
        tag("p", where, class_="tag"),
        tag("p", exhibit.question, class_="question"),
        tag("div", answers, class_="two"),
        _says("Gold", "says gold", exhibit.gold),
        _says(
            f"{outcome[0]}: right, for an invented reason",
            f"says {outcome[1].style}",
            exhibit.invented,
            truth,
        ),
        _says(f"{ralign[0]}: right, for gold’s reason", f"says {ralign[1].style}", exhibit.honest),
        class_="exhibit",
    )


def attempts_table(attempts: Sequence[Attempt], shown: Mapping[str, Look]) -> Html | None:
    """One row a policy, one column a question; None where no policy is at hand."""
    names = list(attempts[0].answers) if attempts else []
    if not names:
        return None
    head = [
        tag("th", each.question, tag("small", f"wanted: {' '.join(each.wanted)}"), class_="asked")
        for each in attempts
    ]
    rows = [
        tag(
            "tr",
            tag("td", shown.get(name, START).sign, name or "before training"),
            [tag("td", words(each.answers[name]), class_="words") for each in attempts],
        )
        for name in names
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", tag("th", "trained against"), head)),
        tag("tbody", rows),
        class_="asked",
    )
    return tag("div", table, class_="scroll")


def words(answer: Sequence[Word]) -> Html:
    """An answer, each word marked by what it is worth."""
    if not answer:
        return tag("small", "(nothing)")
    marked = [tag("span", word.text, class_=f"w {word.kind}") for word in answer]
    return join([marked[0], *([" ", each] for each in marked[1:])])


def _title(letter: str, better: Verdict | None) -> Child:
    return [
        f"Answer {letter}",
        tag("span", " · the better one", class_="better") if letter == better else None,
    ]


def _says(who: str, style: str, reading: Reading, truth: Html | None = None) -> Html:
    sides = [[f"Answer {letter}: ", _claims(reading, side), ". "] for side, letter in enumerate("AB")]
    verdict = tag("span", f"→ {reading.verdict or 'none'}", class_="verdict")
    end: list[Child] = ["Decisive: ", tag("span", reading.factor, class_="factor"), ". ", verdict]
    return tag("div", tag("b", who, class_="who"), tag("p", sides, end), truth, class_=style)


def _claims(reading: Reading, side: int) -> list[Child]:
    parts: list[Child] = []
    for claim in reading.claims[side]:
        style = f"claim{'' if claim.true else ' false'}{' cited' if claim.cited else ''}"
        title = None if claim.true else "false"
        parts += [", " if parts else "", tag("span", claim.text, class_=style, title=title)]
    return parts

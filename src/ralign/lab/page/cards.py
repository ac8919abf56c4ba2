"""Exhibits and policies' answers as HTML: every word of an answer and every claim of a judgment marked by its truth."""

from collections.abc import Mapping, Sequence

from ralign.lab.page.annotated_pair import Reading, Word
from ralign.lab.page.examples import Attempt, Exhibit
from ralign.lab.page.styles import START, Look
from ralign.records import Verdict
from ralign.report.markup import Child, Html, join, tag


def exhibit_card(exhibit: Exhibit, outcome: Look, ralign: Look) -> Html:
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
            f"{outcome.name}: right, for an invented reason",
            f"says {outcome.style}",
            exhibit.invented,
            truth,
        ),
        _says(f"{ralign.name}: right, for gold’s reason", f"says {ralign.style}", exhibit.honest),
        class_="exhibit",
    )


def attempts_cards(attempts: Sequence[Attempt], shown: Mapping[str, Look]) -> Html | None:
    """One card a question, one row a policy; None where no policy is at hand."""
    if not attempts or not attempts[0].answers:
        return None
    cards = [
        tag(
            "article",
            tag("p", each.question, class_="question"),
            tag(
                "p",
                "wanted: ",
                [tag("span", f"{word} ", class_="w right") for word in each.wanted],
                class_="tag",
            ),
            tag(
                "table",
                tag(
                    "tbody",
                    [
                        tag("tr", _writer(shown.get(name, START)), tag("td", words(answer)))
                        for name, answer in each.answers.items()
                    ],
                ),
            ),
            class_="attempt",
        )
        for each in attempts
    ]
    lead = tag("p", "What each of these policies answers to one question of a kind:", class_="prose attempts")
    return join([lead, tag("div", cards, class_="panels two")])


def _writer(look: Look) -> Html:
    return tag("th", look.sign, look.name, scope="row")


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

"""Examples and policies' answers as HTML: every word of an answer and every claim of a judgment marked by its truth."""

from collections.abc import Mapping, Sequence

from ralign.lab.page.annotated_pair import Reading, Word
from ralign.lab.page.examples import Attempt, Example
from ralign.lab.page.styles import START, Look
from ralign.report.markup import Child, Html, join, tag


def example_card(example: Example, outcome: Look, ralign: Look) -> Html:
    """One pair: the question, both answers, gold, and the judgments of two judges."""
    where = f"asked for: {example.domain} · pair {example.pair_id} · seed {example.seed}"
    answers: list[Html] = []
    for side, letter in enumerate("AB"):
        better = letter == example.gold.verdict
        badge = tag("span", " · the better one", class_="better") if better else None
        title = tag("b", [f"Answer {letter}", badge])
        answers.append(tag("div", title, words(example.answers[side]), class_="answer"))
    truth = tag("p", f"In truth, {'; '.join(example.truth)}.", class_="truth")
    invented = f"{outcome.name}: right, for an invented reason"
    return tag(
        "article",
        tag("p", where, class_="tag"),
        tag("p", example.question, class_="question"),
        tag("div", answers, class_="two"),
        _says("Gold", "says gold", example.gold),
        _says(invented, f"says {outcome.style}", example.invented, truth),
        _says(f"{ralign.name}: right, for gold’s reason", f"says {ralign.style}", example.honest),
        class_="exhibit",
    )


def attempts_cards(attempts: Sequence[Attempt], shown: Mapping[str, Look]) -> Html | None:
    """One card a question, one row a policy; None where no policy is at hand."""
    if not attempts or not attempts[0].answers:
        return None
    cards: list[Html] = []
    for each in attempts:
        rows: list[Html] = []
        for name, answer in each.answers.items():
            look = shown.get(name, START)
            writer = tag("th", look.sign, look.name, scope="row")
            rows.append(tag("tr", writer, tag("td", words(answer))))
        wanted = [tag("span", f"{word} ", class_="w right") for word in each.wanted]
        question = tag("p", each.question, class_="question")
        asked = tag("p", "wanted: ", wanted, class_="tag")
        cards.append(tag("article", question, asked, tag("table", tag("tbody", rows)), class_="attempt"))
    lead = tag("p", "What each of these policies answers to one question of a kind:", class_="prose attempts")
    return join([lead, tag("div", cards, class_="panels two")])


def words(answer: Sequence[Word]) -> Html:
    """An answer, each word marked by what it is worth."""
    if not answer:
        return tag("small", "(nothing)")
    marked = [tag("span", word.text, class_=f"w {word.kind}") for word in answer]
    return join([marked[0], *([" ", each] for each in marked[1:])])


def _says(who: str, style: str, reading: Reading, truth: Html | None = None) -> Html:
    sides: list[list[Child]] = []
    for letter, claims in zip("AB", reading.claims, strict=True):
        parts: list[Child] = [f"Answer {letter}: "]
        for place, claim in enumerate(claims):
            marks = f"claim{'' if claim.true else ' false'}{' cited' if claim.cited else ''}"
            title = None if claim.true else "false"
            parts += [", " if place else "", tag("span", claim.text, class_=marks, title=title)]
        sides.append([*parts, ". "])
    verdict = tag("span", f"→ {reading.verdict or 'none'}", class_="verdict")
    end: list[Child] = ["Decisive: ", tag("span", reading.factor, class_="factor"), ". ", verdict]
    return tag("div", tag("b", who, class_="who"), tag("p", sides, end), truth, class_=style)

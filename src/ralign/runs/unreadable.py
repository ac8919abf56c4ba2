"""The check that answers can be read: nothing read is nothing measured, and it is said before all is paid for.

A run stops where, of the first 20 answers of a role in a session, or at every 20th later of the last 100, nearly none
could be read; and at its end, where none of all that is recorded could. A judge that writes `[[A>B]]` where
`\\boxed{A}` was asked for would otherwise be measured to the end, as one that is never right.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from ralign.errors import UnreadableAnswers
from ralign.records import Answered

EVERY = 20
WINDOW = 100
NEARLY_ALL = 0.95
"""Share of unread answers from which on a run stops."""

Suggest = Callable[[list[str]], str | None]
"""Takes texts that could not be read; gives the flag that would have read them, None where there is none."""

_EXCERPT = 120
"""Characters of the end of an answer, where its verdict would stand."""
_SHOWN_REASONS = 3


class UnreadableCheck:
    """The check of one role; `suggest` names what would have read its texts."""

    def __init__(self, role: str, suggest: Suggest | None = None) -> None:
        self._role = role.replace("_", "-")
        self._suggest = suggest
        self._seen = 0
        self._last: deque[Answered | None] = deque(maxlen=WINDOW)

    def see(self, record: Answered) -> None:
        """Count an answer that came in.

        Raises:
            UnreadableAnswers: nearly none of the last ones could be read.
        """
        # No answer at all is another matter: such calls are owed again. One in the wrong field did come.
        if record.failure == "call" and record.reason != "wrong_field":
            return
        self._seen += 1
        self._last.append(record if record.failure is not None else None)
        if self._seen % EVERY:
            return
        unread = [each for each in self._last if each is not None]
        if len(unread) >= NEARLY_ALL * len(self._last):
            self._stop(unread)

    def end(self, recorded: Iterable[Answered]) -> None:
        """Look at all that is recorded, once nothing is owed: a short run has no 20 answers.

        Raises:
            UnreadableAnswers: there are answers, and none of them could be read.
        """
        unread = deque[Answered](maxlen=WINDOW)
        for record in recorded:
            if record.failure is None:
                return
            unread.append(record)
        if unread:
            self._stop(list(unread))

    def _stop(self, unread: Sequence[Answered]) -> NoReturn:
        reasons = Counter(each.detail or str(each.reason).replace("_", " ") for each in unread)
        listed = ", ".join(f"{why} ({count:,})" for why, count in reasons.most_common(_SHOWN_REASONS))
        texts = [each.text for each in unread if each.text.strip()]
        of = max(len(unread), len(self._last))
        message = f"{len(unread):,} of the last {of:,} {self._role} answers could not be read: {listed}"
        if texts:
            end = " ".join(texts[-1].split())
            message += f"; one ends in {('…' if len(end) > _EXCERPT else '') + end[-_EXCERPT:]!r}"
        if 2 * sum(each.reason == "cut_off" for each in unread) > len(unread):
            message += "; a higher limit of tokens would have let them end"
        elif self._suggest is not None and texts and (flag := self._suggest(texts)) is not None:
            message += (
                f"; {flag} would have read them, in another --out where the judge is to be asked for it"
            )
        raise UnreadableAnswers(
            f"{message}. Nothing read is nothing measured: the run stops here; --keep-going goes on"
        )

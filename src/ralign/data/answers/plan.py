"""`ralign answers` as a plan: each prompt is asked until it has an answer that can be compared with.

Comes in: prompts and a model. Goes out: the run directory of `ralign.runs`, and in it

    answers.jsonl    every answer that came back, one line each, its thinking apart
    prompts.jsonl    the prompts that have an answer: their rows as they came, and the answer in a column of its own
    left_out.jsonl   the others, each with why

An answer that the token limit cut off, or that says nothing after its thinking, is no reference: a policy would win
against it by ending its sentences. It is drawn again, and after the last draw the prompt is left out and listed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ralign.data.answers.answer import PROBLEMS, Answer
from ralign.data.prompts import PolicyPrompt, prompts_digest, taken_prompts, write_rows
from ralign.errors import InputError
from ralign.files.pair_rows import PROMPT_COLUMNS
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Live, Role

ANSWERS = "answers.jsonl"
PROMPTS = "prompts.jsonl"
LEFT_OUT = "left_out.jsonl"


class AnswersPlan:
    """Answers to prompts.

    Args:
        prompts: each is asked until it has an answer that can be compared with.
        out: the run directory.
        model: asked once for each owed (prompt, draw).
        column: of prompts.jsonl, where the answers go.
        draws_limit: answers drawn for a prompt at most.
        limit: only so many prompts; a higher limit carries the run on.

    Raises:
        InputError: a prompt has the column already; names file:line.
    """

    def __init__(
        self,
        prompts: Sequence[PolicyPrompt],
        out: Path,
        model: Live | Ask,
        *,
        column: str = "reference_answer",
        draws_limit: int = 2,
        limit: int | None = None,
    ) -> None:
        if not column.strip() or column in ("id", *PROMPT_COLUMNS):
            raise InputError(f"--column is {column!r}, expected a name that no prompt column has")
        # Before anything is paid for: an answer must not take the place of a column that came with the prompt.
        for prompt in prompts:
            if column in prompt.row:
                raise InputError(f"{prompt.location}: has a column {column} already; choose another --column")
        self.digest = prompts_digest(prompts)
        self._prompts = taken_prompts(prompts, limit)
        # Of those that the limit leaves out, too: an answer to one of them is no stranger's.
        self._rows: dict[str, int | None] = dict.fromkeys(prompt.id for prompt in prompts)
        self._rows.update((prompt.id, row) for row, prompt in enumerate(self._prompts))
        self._out = out
        self._column = column
        self._draws = draws_limit
        self.answers = Log(out / ANSWERS, Answer, self._slot, len(self._prompts) * draws_limit)
        self._model = Role("model", self.answers, model)
        self.roles = [self._model]
        self.size = len(self._prompts)

    def waves(self) -> Iterator[Iterable[int]]:
        """The rows of the prompts, in the order of the files."""
        # Numbers are enough to go by: the prompts themselves are in memory.
        yield range(len(self._prompts))

    def owed(self, row: int) -> Sequence[Call]:
        """The next draw, until one can be compared with or the draws are used up."""
        return self._left(row)[:1]

    def forecast(self, row: int) -> tuple[Sequence[Call], Sequence[Call]]:
        """At least the next draw; at most every draw that is left."""
        left = self._left(row)
        return left[:1], left

    def results(self) -> dict[str, Any]:
        """The counts; the prompts go to their files, with their answers or with why they have none."""
        counts: Counter[str] = Counter()
        # Held, where `ralign gold` streams: the prompts are in memory as well.
        left_out: list[dict[str, object]] = []

        def answered() -> Iterator[dict[str, object]]:
            for row, prompt in enumerate(self._prompts):
                drawn = self._drawn(row)
                if drawn and drawn[-1].problem is None:
                    counts["answered"] += 1
                    by = {"model": drawn[-1].model or "", "draw": drawn[-1].draw}
                    # The blank lines around it are the chat template's; they would count as length.
                    yield {**prompt.row, self._column: drawn[-1].text.strip(), f"{self._column}_by": by}
                    continue
                # With draws left, the last answer's fault is not why the prompt is left out: a call failed.
                problem = drawn[-1].problem if len(drawn) == self._draws else None
                reason = problem or "unanswered"
                counts[reason] += 1
                left_out.append({"id": prompt.id, "reason": reason, "draws": len(drawn)})

        write_rows(self._out / PROMPTS, answered())
        write_rows(self._out / LEFT_OUT, left_out)
        return {
            "owed": {"answers": counts["unanswered"]},
            "prompts": len(self._prompts),
            "answered": counts["answered"],
            "left_out": {problem: counts[problem] for problem in PROBLEMS},
            "draws_limit": self._draws,
        }

    def _slot(self, answer: Answer) -> int | None:
        if answer.prompt_id not in self._rows:
            raise InputError(f"prompt {answer.prompt_id!r} is not in the prompt files")
        row = self._rows[answer.prompt_id]
        # Drawn under a higher limit than today's.
        if row is None or answer.draw >= self._draws:
            return None
        return row * self._draws + answer.draw

    def _left(self, row: int) -> Sequence[Call]:
        """Every draw that a prompt may still take."""
        drawn = self._drawn(row)
        if drawn and drawn[-1].problem is None:
            return ()
        return [Call(self._model, (self._prompts[row], draw)) for draw in range(len(drawn), self._draws)]

    def _drawn(self, row: int) -> list[Answer]:
        """The answers that came back to a prompt, in the order of their draws; nothing follows a usable one."""
        slots = range(row * self._draws, (row + 1) * self._draws)
        return [answer for slot in slots if (answer := self.answers.get(slot)) is not None]

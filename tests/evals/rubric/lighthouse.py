"""Items about a lighthouse, and a judge that reads the answer."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ralign.evals.rubric.item import RubricItem
from ralign.evals.rubric.judge import Grade
from ralign.records import Message, Usage


def item(name: str = "one", **fields: object) -> RubricItem:
    given = {
        "conversation": (Message(role="user", content=f"When is the lamp of {name} lit?"),),
        "answer": "At dusk.",
        "kind": "question",
        "criteria": ("Does it name a time?",),
        **fields,
    }
    return RubricItem(id=name, **given)


def written(path: Path, rows: Iterable[Mapping[str, object]]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


class FixedJudge:
    """Grades by a table: item -> values by criterion; None: unreadable. What is in `down` fails as a call."""

    def __init__(self, values: Mapping[str, list[float | None]], down: Iterable[str] = ()) -> None:
        self.values = values
        self.down = set(down)
        self.asked: list[tuple[str, int]] = []

    async def grade(self, item: RubricItem, criterion: int) -> Grade:
        self.asked.append((item.id, criterion))
        if item.id in self.down:
            return Grade(item_id=item.id, criterion=criterion, failure="call", detail="down")
        value = self.values[item.id][criterion]
        return Grade(
            item_id=item.id,
            criterion=criterion,
            value=value,
            score=None if value is None or item.kind == "question" else round(1 + 9 * value),
            failure="parse" if value is None else None,
            usage=Usage(prompt_tokens=10, completion_tokens=2),
        )

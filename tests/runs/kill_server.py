"""What the server of the kill test says and does wrong; it runs in a process of its own."""

import random
import re
from typing import get_args

from ralign.models import Reply
from ralign.models.testing.answers import ChatRequest, answer_by_digest
from ralign.models.testing.batches import BatchFaultKind
from ralign.models.testing.faults import Fault

FAULTS = (
    Fault(kind="status", status=500),
    Fault(kind="status", status=503),
    Fault(kind="status", status=429, retry_after="0.05"),
    Fault(kind="reset"),
    Fault(kind="hang", seconds=60),
    Fault(kind="truncated"),
    Fault(kind="empty"),
    Fault(kind="html"),
    Fault(kind="text", status=400),
    Fault(kind="error_body", status=400),
    Fault(kind="error_body", status=502),
)


def answer(request: ChatRequest) -> str | Reply:
    """What follows from the request alone, by the role that the model is named after."""
    number = int(request.digest, 16)
    match request.fields["model"]:
        case "meta-judge":
            stated, verdict = ("yes", "Correct") if number % 3 else ("no", "Incorrect")
            return f"POINT: the main one | STATED: {stated}\nVERDICT: {verdict}"
        case "writer":
            # One draft in eight goes against the label that the writer is told, and is drawn again.
            told = re.search(r"The answer that was found better: ([AB])", request.prompt)
            assert told is not None
            better = told[1] if number % 8 else "AB".replace(told[1], "")
            return f"Answer {better} gives the depth ({request.digest}).\n\n\\boxed{{{better}}}"
        case "model":
            # One answer in eight is cut off, and is drawn again.
            reason = "stop" if number % 8 else "length"
            return Reply(text=f"Four fathoms, and no less than {request.digest}.", finish_reason=reason)
        case "grader":
            grade = (
                f"SCORE: {1 + number % 10}"
                if "<rubric" in request.prompt
                else f"VERDICT: {'yes' if number % 2 else 'no'}"
            )
            return f"It depends ({request.digest}).\n{grade}"
        case _:
            return answer_by_digest(request)


def faults(number: int, body: bytes) -> Fault | None:
    """One request in twelve goes wrong, in eleven ways; few hang, as each that does costs its timeout."""
    del body
    draw = random.Random(number)
    if draw.random() > 1 / 12:
        return None
    fault = draw.choice(FAULTS)
    return None if fault.kind == "hang" and draw.random() > 0.1 else fault


def batch_faults(number: int) -> tuple[BatchFaultKind, ...]:
    """Every fault that a batch can have, one after the other and then two at a time; then none."""
    kinds = get_args(BatchFaultKind)
    if number < len(kinds):
        return (kinds[number],)
    return (kinds[number % len(kinds)], kinds[(number + 3) % len(kinds)]) if number < 2 * len(kinds) else ()

"""What the server of the kill test says and does wrong; it runs in a process of its own."""

import random

from ralign.models.testing.answers import ChatRequest, answer_by_digest
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


def answer(request: ChatRequest) -> str:
    """A judgment, or a meta-judgment, that follows from the request alone."""
    if request.fields["model"] == "judge":
        return answer_by_digest(request)
    aligned = int(request.digest, 16) % 3 != 0
    stated, verdict = ("yes", "Correct") if aligned else ("no", "Incorrect")
    return f"POINT: the main one | STATED: {stated}\nVERDICT: {verdict}"


def faults(number: int, body: bytes) -> Fault | None:
    """One request in twelve goes wrong, in eleven ways; few hang, as each that does costs its timeout."""
    del body
    draw = random.Random(number)
    if draw.random() > 1 / 12:
        return None
    fault = draw.choice(FAULTS)
    return None if fault.kind == "hang" and draw.random() > 0.1 else fault

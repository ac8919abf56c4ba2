"""One call of a model, whichever it is: what it is about in, its record out."""

from dataclasses import replace
from typing import Any, Protocol, TypeVar

from ralign.errors import CallFailed
from ralign.models.model import ChatModel, Request, reply_or_failure
from ralign.models.python import PythonFunction
from ralign.records import Answered

Record = TypeVar("Record", bound=Answered, covariant=True)


class ModelCalls(Protocol[Record]):
    """How a model is asked: pure, so that a dry run can count it and a provider's batch can carry it.

    What a call is about are the arguments of both methods. A class whose `read` takes records of a Python function,
    besides a `Reply` and a `CallFailed`, names their types as `RECORDS`.
    """

    # `*about: Any, **unused: Any` is how the type system spells "any arguments": each role has its own.
    def request(self, *about: Any, **unused: Any) -> Request | Record:
        """Request to send; or the record itself, where there is nothing to ask."""
        ...

    def read(self, answer: Any, *about: Any, **unused: Any) -> Record:
        """The record of a `Reply`, or of a call that failed (`CallFailed`)."""
        ...


async def ask(model: ChatModel | PythonFunction, calls: ModelCalls[Record], *about: Any) -> Record:
    """Ask a model once. A failure is in the record.

    Raises:
        EndpointRefused: no call can succeed.
    """
    # A function is sent no messages; but where a model would not be asked, it is not either.
    request = calls.request(*about)
    if isinstance(request, Answered):
        return request
    if isinstance(model, PythonFunction):
        answer = await model.answer(about, getattr(calls, "RECORDS", ()))
    else:
        answer = await reply_or_failure(model, request)
    record = calls.read(answer, *about)
    # A call that failed may have been paid for all the same.
    return replace(record, usage=answer.usage) if isinstance(answer, CallFailed) else record

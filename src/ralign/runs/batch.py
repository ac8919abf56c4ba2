"""The batch modes of a run: what is owed is handed in together, and the answers go into the same logs.

    batches.jsonl              how far each batch is, a line a step; the last line of a batch counts
    batches/0001.jsonl         the requests of the first one
    batches/0001.output.jsonl  the answers that came back, and 0001.errors.jsonl: those that failed

A pass over the plan reads the batches that have ended and writes what is owed then, a file a role: the judge's, and the
meta-judge's as soon as there are judgments. `--batch-api` hands the files in and waits; `--batch-file` leaves both to
whoever runs the command. A run may change between the modes and calls of its own: nothing here is part of its identity.

Each step is written down, so a kill repeats none that costs:

| killed after                | the next start                                                     |
| --------------------------- | ------------------------------------------------------------------ |
| requests, before their line | writes them again                                                  |
| the line `written`          | uploads; a file uploaded twice costs nothing                       |
| the line `uploaded`         | looks among the endpoint's batches before it hands that file in    |
| the line `created`          | asks how far the batch is                                          |
| some answers read           | reads the others; one that a log has is not read into it again     |
"""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Self, TypeVar

import orjson

from ralign.errors import CallFailed, InputError
from ralign.files.log import AppendLog, read_line_at, read_log, replacing
from ralign.files.pair_rows import RowLocation
from ralign.models.batch_endpoint import (
    MOST_BYTES,
    Batch,
    BatchEndpoint,
    read_custom_id,
    read_line,
    request_line,
)
from ralign.models.endpoint import DEFAULT_KEY_VARIABLE
from ralign.models.endpoint_error import EndpointError
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import Budget, ModelSpec, Price, Reply
from ralign.models.protocol import encode
from ralign.records import Answered, Usage
from ralign.runs.plan import Call, Live, Plan, Role
from ralign.runs.progress import money

Item = TypeVar("Item")

BatchMode = Literal["api", "file"]
Standing = Literal["answered", "out", "held back", "failed"]

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 60.0
_SHOW_SECONDS = 30.0
# Hand-ins of one call in one session: an outage may take a batch, and a day each is as long as anybody waits.
_MOST_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """State of one batch of calls: a line of batches.jsonl."""

    number: int
    role: str
    requests: int
    mode: BatchMode
    """Who carries it: we (`api`), or whoever runs the command (`file`)."""
    state: Literal["written", "uploaded", "created", "read"] = "written"
    file_id: str = ""
    batch_id: str = ""


class Ledger:
    """The batches of a run directory: batches.jsonl, and the files beside it. Appending needs the directory's lock."""

    def __init__(self, out: Path) -> None:
        self.path = out / "batches.jsonl"
        self._folder = out / "batches"
        self._hand_ins: dict[int, HandIn] = {}

    def load(self) -> Self:
        """Read what is written down; a torn last line is none.

        Raises:
            BadRow: a line that is not the state of a batch.
        """
        for line in read_log(self.path, skip_partial=True):
            try:
                hand_in = HandIn(**orjson.loads(line.data))
            except (orjson.JSONDecodeError, TypeError):
                raise RowLocation(str(self.path), line.number).bad("not the state of a batch") from None
            self._hand_ins[hand_in.number] = hand_in
        return self

    @property
    def open(self) -> list[HandIn]:
        """The batches that are not read yet; one whose file of requests somebody removed is given up."""
        return [
            hand_in
            for hand_in in self._hand_ins.values()
            if hand_in.state != "read" and self.requests(hand_in.number).exists()
        ]

    @property
    def waiting(self) -> dict[str, int]:
        """Calls that are handed in and not read yet, by role."""
        waiting: Counter[str] = Counter()
        for hand_in in self.open:
            waiting[hand_in.role] += hand_in.requests
        return dict(waiting)

    @property
    def last_number(self) -> int:
        """The number of the newest batch; 0 where there is none."""
        return max(self._hand_ins, default=0)

    def append(self, hand_in: HandIn) -> None:
        """Write a step down; it is on disk when this returns."""
        with AppendLog(self.path) as log:
            log.append(orjson.dumps(asdict(hand_in)))
        self._hand_ins[hand_in.number] = hand_in

    def requests(self, number: int) -> Path:
        """The file of a batch's requests."""
        return self._folder / f"{number:04}.jsonl"

    def answers(self, number: int) -> tuple[Path, Path]:
        """The files that a batch's answers come in: those that came, those that failed."""
        return self._folder / f"{number:04}.output.jsonl", self._folder / f"{number:04}.errors.jsonl"

    def refuse_calls(self) -> None:
        """Refuse to ask in calls what is out in batches, and would be paid twice.

        Raises:
            InputError: naming what is out, and what to do.
        """
        if self.open:
            first = self.open[0]
            raise InputError(
                f"{self.path}: {sum(self.waiting.values()):,} calls are out in batches: collect them with "
                f"--batch-{first.mode}, or remove {self.requests(first.number)} to ask for its calls anew"
            )


@dataclass(slots=True, kw_only=True)
class _RequestFile:
    """The requests of a batch that is being written; it counts only once the ledger has its line."""

    number: int
    role: str
    file: BinaryIO
    requests: int = 0
    size: int = 0


class _Ended(NamedTuple):
    """Outcome of a batch."""

    name: str
    lines: dict[str, tuple[Path, int]]
    """By custom id, where its line starts."""
    unanswered: EndpointError
    """The error of every other call."""

    def outcome(self, custom_id: str, model: EndpointModel) -> Reply | EndpointError:
        """Outcome of a call of this model."""
        if custom_id not in self.lines:
            return model.endpoint.presentable(self.unanswered)
        path, offset = self.lines[custom_id]
        with path.open("rb") as file:
            outcome = read_line(read_line_at(file, offset), model.thought_tags)
        return outcome if isinstance(outcome, Reply) else model.endpoint.presentable(outcome)


class BatchRun:
    """A plan's calls in batches.

    Args:
        plan: what is owed.
        out: the run directory.
        models: the opened models by role; `file` writes requests by them, and calls none.
        mode: who carries the batches.
        most_requests: in one batch.
        prices: of a call that is no batch's, by role.
        budget: what is out may cost no more than is left of it.
        keep_going: go on also where nearly no answer can be read.
        show: takes a line of progress.
    """

    def __init__(
        self,
        plan: Plan[Item],
        out: Path,
        models: Mapping[str, object],
        *,
        mode: BatchMode,
        most_requests: int,
        prices: Mapping[str, Price],
        budget: Budget,
        keep_going: bool,
        show: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._ledger = Ledger(out)
        self._models = {name: model for name, model in models.items() if isinstance(model, EndpointModel)}
        self._mode: BatchMode = mode
        self._most_requests = most_requests
        self._prices = prices
        self._budget = budget
        self._keep_going = keep_going
        # By batch, the most that what is out may come to cost.
        self._reserved: defaultdict[int, float] = defaultdict(float)
        self.held_back = False
        """Whether calls are owed that the budget may not cover."""
        self._show = show
        self._last_shown = ("", 0.0)
        self._out: dict[str, int] = {}  # by custom id, the batch that a call is out in
        self._ended: dict[int, _Ended] = {}
        self._written: list[_RequestFile] = []
        self._files = ExitStack()
        self._tries: Counter[str] = Counter()
        self._given_up: set[str] = set()
        self._through: set[str] = set()  # by wave and place, the items that lack a call that failed for good
        self._queue_full = False

    @property
    def waiting(self) -> Mapping[str, int]:
        """Calls that are out, by role."""
        return self._ledger.waiting

    async def settle(self) -> None:
        """Read, write and hand in, until nothing is owed or nothing more can be done in this session.

        The logs are open, and the lock of the run directory is held.

        Raises:
            InputError: a batch is out that the other mode handed in.
            UnreadableAnswers: nearly no answer can be read; what a batch brought besides is read by the next session.
            EndpointRefused: the endpoint takes no batches.
        """
        self._ledger.load()
        for hand_in in self._ledger.open:
            if hand_in.mode != self._mode:
                self._ledger.refuse_calls()
            if hand_in.role not in self._models:
                raise InputError(
                    f"{self._ledger.path}: the {hand_in.role} has calls out, and no model is named that answers "
                    f"them; remove {self._ledger.requests(hand_in.number)} to give them up"
                )
            for line in read_log(self._ledger.requests(hand_in.number)):
                request = orjson.loads(line.data)
                self._out[request["custom_id"]] = hand_in.number
                self._reserved[hand_in.number] += self._most(hand_in.role, request["body"], len(line.data))
        while True:
            read = bool(self._ended)
            await self._pass()
            if self.held_back and read:
                # What was read is paid for by now, and mostly at less than was reserved for it.
                await self._pass()
            if self._mode == "api":
                await self._hand_in()
            if not await self._collect():
                break
        if self._mode == "file":
            for hand_in in self._ledger.open:
                requests, output = (
                    self._ledger.requests(hand_in.number),
                    self._ledger.answers(hand_in.number)[0],
                )
                self._show(
                    f"{hand_in.requests:,} requests of the {hand_in.role.replace('_', '-')}: {requests}\n"
                    f"  vllm run-batch -i {requests} -o {output} --model {self._models[hand_in.role].name}\n"
                    f"or hand the file to your provider and put what comes back into {output}; then the same command "
                    "again."
                )

    async def _pass(self) -> None:
        """Read what ended batches brought, and write the requests of what is owed now."""
        self.held_back = False
        self._written = []
        # The files stay open for as long as the pass takes, and are there complete or not at all.
        with ExitStack() as self._files:
            # Wave by wave: a later one may depend on answers that are still out.
            for wave, items in enumerate(self._plan.waves()):
                settled = True
                for at, item in enumerate(items):
                    settled &= await self._advance(item, f"{wave}/{at}")
                if not settled:
                    break
        for file in self._written:
            self._ledger.append(
                HandIn(number=file.number, role=file.role, requests=file.requests, mode=self._mode)
            )
        # Only now: every answer is in its log, and what failed is in a file again or given up.
        for hand_in in self._ledger.open:
            if hand_in.number in self._ended:
                self._ledger.append(replace(hand_in, state="read"))
                self._reserved.pop(hand_in.number, None)
        self._out = {
            custom_id: number for custom_id, number in self._out.items() if number not in self._ended
        }
        self._ended.clear()

    async def _advance(self, item: Any, place: str) -> bool:
        """Take an item as far as the answers reach; whether this session is through with it."""
        while place not in self._through and (owed := self._plan.owed(item)):
            standings = [await self._stand(call) for call in owed]
            if "out" in standings:
                return False
            if "held back" in standings:
                break
            # A call that failed for good is asked for again by the next session, not by this one.
            if "failed" in standings:
                self._through.add(place)
        return True

    async def _stand(self, call: Call) -> Standing:
        """Where a call stands after this pass; its answer, where there is one, is in the log."""
        role, about = call
        if (
            role.live is None or role.name not in self._models
        ):  # a recorded file, a Python function, a test's table
            assert role.ask is not None, "every role is open"
            return self._append(role, await role.ask(*about))
        custom_id = role.call_id(about)
        number = self._out.get(custom_id)
        if custom_id in self._given_up:
            return "failed"
        if number is not None and number not in self._ended:
            return "out"
        request = role.live.calls.request(*about)
        if isinstance(request, Answered):  # there is nothing to ask
            return self._append(role, request)
        model = self._models[role.name]
        if number is not None:
            del self._out[custom_id]
            ended = self._ended[number]
            outcome = ended.outcome(custom_id, model)
            if isinstance(outcome, Reply):
                return self._append(role, replace(role.live.calls.read(outcome, *about), batch=ended.name))
            again = self._is_worth_another(outcome, custom_id, model, model.fields(*request))
            reason = "wrong_field" if outcome.wrong_field else "no_reply"
            failure = CallFailed(outcome.message, reason=reason, usage=outcome.usage)
            # What was paid for is on record, also where the call is handed in again.
            if failure.usage is not None or not again:
                record = role.live.calls.read(failure, *about)
                role.log.append(replace(record, usage=failure.usage, batch=ended.name))
            if not again:
                self._given_up.add(custom_id)
                return "failed"
        fields = model.fields(*request)
        try:
            body = encode(fields)
        except CallFailed as error:
            role.log.append(role.live.calls.read(error, *about))
            self._given_up.add(custom_id)
            return "failed"
        return self._write(role.name, custom_id, body, self._most(role.name, fields, len(body)))

    def _append(self, role: Role, record: Answered) -> Standing:
        """Record an answer, or that there is none."""
        role.log.append(record)
        if not self._keep_going:
            role.check.see(record)
        return "failed" if record.failure == "call" else "answered"

    def _is_worth_another(
        self, error: EndpointError, custom_id: str, model: EndpointModel, fields: Mapping[str, object]
    ) -> bool:
        """Whether a call that failed in a batch is handed in again by this session."""
        self._queue_full |= error.kind == "busy"
        self._tries[custom_id] += 1
        # A parameter that the model does not take is refused in every line; the first one sees to it.
        adapted = model.adapt(error.parameter, fields) or (
            error.parameter is not None and error.parameter not in fields
        )
        return self._tries[custom_id] < _MOST_TRIES and (adapted or error.kind not in ("request", "refused"))

    def _most(self, role: str, fields: Mapping[str, object], size: int) -> float:
        """The most that a call may cost in a batch: a token a byte of its request, and an answer up to its limit.

        Raises:
            InputError: the run has a budget, and the call no limit.
        """
        price = self._prices.get(role)
        if price is None or self._budget.limit == math.inf:
            return 0.0
        limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
        if not isinstance(limit, int):
            raise InputError(
                f"--max-cost bounds batches by their answers' token limit, and the {role} has none"
            )
        return price.in_batches.of(Usage(prompt_tokens=size, completion_tokens=limit))

    def _write(self, role: str, custom_id: str, body: bytes, most: float) -> Standing:
        """Write a request to the file of its role, unless the budget may not cover it."""
        spent = money(self._plan.roles, self._prices) if most else 0.0
        if spent + sum(self._reserved.values()) + most > self._budget.limit:
            self.held_back = True
            return "held back"
        line = request_line(custom_id, body)
        file = next((file for file in reversed(self._written) if file.role == role), None)
        if file is None or file.requests == self._most_requests or file.size + len(line) > MOST_BYTES:
            number = 1 + max(self._ledger.last_number, self._written[-1].number if self._written else 0)
            opened = self._files.enter_context(replacing(self._ledger.requests(number)))
            file = _RequestFile(number=number, role=role, file=opened)
            self._written.append(file)
        file.file.write(line)
        file.requests += 1
        file.size += len(line)
        self._out[custom_id] = file.number
        self._reserved[file.number] += most
        return "out"

    async def _hand_in(self) -> None:
        """Bring every file that is written to the endpoint, step by step, each of which is written down."""
        for hand_in in self._ledger.open:
            # Where the endpoint's queue was too full once, one batch at a time.
            if self._queue_full and any(other.state == "created" for other in self._ledger.open):
                return
            endpoint = BatchEndpoint(self._models[hand_in.role].endpoint)
            interrupted = hand_in.state == "uploaded"
            if hand_in.state == "written":
                file_id = await endpoint.upload(self._ledger.requests(hand_in.number))
                hand_in = replace(hand_in, state="uploaded", file_id=file_id)
                self._ledger.append(hand_in)
            if hand_in.state == "uploaded":
                label = f"{hand_in.role} {hand_in.number}"
                batch = await endpoint.create(hand_in.file_id, label, interrupted=interrupted)
                self._ledger.append(replace(hand_in, state="created", batch_id=batch.id))

    async def _collect(self) -> bool:
        """Wait until a batch has ended and its answers are here; False where there is none to wait for."""
        wait = _FIRST_WAIT
        while True:
            states = {hand_in.number: await self._fetch(hand_in) for hand_in in self._ledger.open}
            if self._ended:
                return True
            if self._mode == "file" or not states:
                return False
            self._show_states(states)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _fetch(self, hand_in: HandIn) -> Batch | None:
        """The state of a batch; where it has ended, its answers are in their files, and known by their custom ids."""
        paths = self._ledger.answers(hand_in.number)
        if self._mode == "file":
            if paths[0].exists():
                missing = EndpointError(kind="broken", message=f"{paths[0]} has no line for it")
                name = self._ledger.requests(hand_in.number).name
                self._ended[hand_in.number] = _Ended(name, _index(paths), missing)
            return None
        if hand_in.state != "created":
            return None
        endpoint = BatchEndpoint(self._models[hand_in.role].endpoint)
        batch = await endpoint.get(hand_in.batch_id)
        if batch.ended:
            for file_id, path in zip(batch.files, paths, strict=True):
                # There already where an earlier session was killed while it read them.
                if file_id and not path.exists():
                    await endpoint.download(file_id, path)
            self._ended[hand_in.number] = _Ended(batch.id, _index(paths), batch.unanswered)
        return batch

    def _show_states(self, states: Mapping[int, Batch | None]) -> None:
        """A line where something has changed, twice a minute at most."""
        parts: list[str] = []
        for hand_in in self._ledger.open:
            batch = states.get(hand_in.number)
            how_far = (
                "waits to be handed in"
                if batch is None
                else (
                    f"{batch.completed:,} of {hand_in.requests:,} done, {batch.failed:,} failed, {batch.status}"
                )
            )
            parts.append(f"batch {hand_in.number} ({hand_in.role.replace('_', '-')}): {how_far}")
        line = "; ".join(parts)
        shown, when = self._last_shown
        now = asyncio.get_running_loop().time()
        if line != shown and (not shown or now - when >= _SHOW_SECONDS):
            self._show(f"{line}. Ctrl-C leaves, and the same command goes on from there.")
            self._last_shown = (line, now)


def batch_spec(role: str, live: Live, mode: BatchMode) -> ModelSpec:
    """The model of a role, as it is opened for batches.

    Raises:
        InputError: it cannot be asked in batches.
    """
    # A Python function is called at once: there is nothing to hand in.
    if live.spec.is_python:
        return live.spec
    if live.bind is not None:
        raise InputError(f"--batch-{mode}: the {role} is asked for probabilities, which no batch carries")
    if mode == "api":
        if live.spec.url is None:
            raise InputError(
                f"--batch-api: {live.spec.name!r} is a model on this machine; give the URL of its endpoint, or "
                "--batch-file"
            )
        return live.spec
    # Opened for how its requests are written, and never called: neither an address nor a key is needed.
    return replace(live.spec, url="http://localhost", key_variable=DEFAULT_KEY_VARIABLE, headers=())


def _index(paths: tuple[Path, Path]) -> dict[str, tuple[Path, int]]:
    """Where the line of each custom id starts. Of two the first counts, an answer before an error."""
    lines: dict[str, tuple[Path, int]] = {}
    for path in paths:
        for line in read_log(path):
            if (custom_id := read_custom_id(line.data)) is not None:
                lines.setdefault(custom_id, (path, line.offset))
    return lines

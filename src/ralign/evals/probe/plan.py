"""`ralign probe` as a plan: every pair is judged, then the verdict is read after each version of each rationale.

Comes in: pairs, a judge, a reader (the judge's own model, or another). Goes out: the run directory of `ralign.runs`
with `judgments.jsonl` and `readings.jsonl`. Two waves: one version of a rationale is another pair's, so that every
judgment has to be there before the first reading.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ralign.errors import InputError
from ralign.evals.probe.figures import measure
from ralign.evals.probe.interventions import (
    VERSIONS,
    Version,
    Written,
    dropped,
    replaced,
    swapped,
    truncated,
    written,
)
from ralign.evals.probe.response_references import WhyNot
from ralign.evals.probe.verdict_probabilities import Reader, Reading
from ralign.files import PairsDigest, prompt_number
from ralign.judging import BOXED, Judge, VerdictFormat, call_seed, in_pair_letters, suggested_flag
from ralign.records import Judgment, Order, PreferencePair, Verdict, opposite
from ralign.runs.execute import Results, run
from ralign.runs.log import Log
from ralign.runs.plan import Ask, Call, Role

JUDGMENTS = "judgments.jsonl"
READINGS = "readings.jsonl"

Texts = Mapping[Version, Written | WhyNot | None]
"""By version: the text, or why there is none; None for `other` where no rationale ends in the other verdict."""


class Case(NamedTuple):
    """A pair in the order in which it is shown."""

    pair: PreferencePair
    order: Order
    slot: int


class Probed(NamedTuple):
    """A case once every case is judged, with the texts to read; without any, its judgment cannot be probed."""

    case: Case
    texts: Texts


class ProbePlan:
    """A probe.

    Args:
        pairs: what is judged.
        out: the run directory.
        judge: asked once for each pair and order.
        reader: asked once for each version of each rationale.
        orders: how the two answers are shown.
        seed: chooses whose rationale stands for whose.
        written_in: where a judgment's verdict is found.

    Raises:
        InputError: a bad row, or no pairs.
    """

    def __init__(
        self,
        pairs: Iterable[PreferencePair],
        out: Path,
        judge: Ask,
        reader: Ask,
        *,
        orders: Sequence[Order] = ("ab",),
        seed: int = 0,
        written_in: VerdictFormat = BOXED,
    ) -> None:
        self._written_in = written_in
        # Held in memory: a local model judges hundreds or thousands of pairs, not a hundred thousand.
        self._pairs = list(pairs)
        self._orders = tuple(orders)
        self._seed = seed
        digest = PairsDigest()
        for pair in self._pairs:
            digest.add(pair)
        self._prompt = np.array([prompt_number(pair) for pair in self._pairs], dtype=np.intp)
        self.digest = digest.hexdigest()
        self._rows = {(pair.benchmark, pair.id): row for row, pair in enumerate(self._pairs)}
        self._cases = [
            Case(pair, order, row * len(self._orders) + at)
            for row, pair in enumerate(self._pairs)
            for at, order in enumerate(self._orders)
        ]
        cases = len(self._cases)
        # All that the figures need of a record, so that no text has to be kept or read again for them.
        self._wrote_a: NDArray[np.float64] = np.full(cases, np.nan)
        self._prob_a: NDArray[np.float64] = np.full(cases * len(VERSIONS), np.nan)
        self._mass: NDArray[np.float64] = np.full(cases * len(VERSIONS), np.nan)
        self._read = [""] * (cases * len(VERSIONS))
        self.judgments = Log(out / JUDGMENTS, Judgment, self._slot, cases, note=self._note_judgment)
        self.readings = Log(
            out / READINGS,
            Reading,
            lambda reading: self._slot(reading) * len(VERSIONS) + VERSIONS.index(reading.version),
            cases * len(VERSIONS),
            note=self._note_reading,
        )
        self._judge = Role("judge", self.judgments, judge, suggest=suggested_flag(written_in))

        async def read(pair: PreferencePair, order: Order, version: Version, text: Written) -> Reading:
            return replace(await reader(pair, order, version, text), text_digest=text.digest)

        self._reader = Role("reader", self.readings, read)
        self.roles = [self._judge, self._reader]
        self.size = 2 * cases

    def waves(self) -> Iterator[Iterable[Case] | Iterable[Probed]]:
        """The cases to judge, then the same cases with what is to be read."""
        yield self._cases
        yield self._probed()

    def owed(self, item: Case | Probed) -> Sequence[Call]:
        """In the first wave the judgment, in the second every version that is not read yet, as it is now."""
        if isinstance(item, Case):
            return () if item.slot in self.judgments else (Call(self._judge, (item.pair, item.order, 0)),)
        (pair, order, slot), texts = item
        return [
            Call(self._reader, (pair, order, version, text))
            for at, version in enumerate(VERSIONS)
            if isinstance(text := texts.get(version), Written)
            # A judgment that is answered late may have changed whose rationale `other` is.
            and self._read[slot * len(VERSIONS) + at] != text.digest
        ]

    def forecast(self, item: Case | Probed) -> tuple[Sequence[Call], Sequence[Call]]:
        """Exactly what is owed: of a rationale that is not written yet nobody knows which versions it has."""
        owed = self.owed(item)
        return owed, owed

    def results(self) -> dict[str, Any]:
        """By benchmark every figure, and how many judgments could not be probed or lack a version, and why."""
        probed = list(self._probed())
        return {
            "owed": {
                "judgments": sum(case.slot not in self.judgments for case in self._cases),
                "readings": sum(len(self.owed(item)) for item in probed),
            },
            "orders": list(self._orders),
            "benchmarks": {
                name: self._benchmark(name, [item for item in probed if item.case.pair.benchmark == name])
                for name in dict.fromkeys(pair.benchmark for pair in self._pairs)
            },
        }

    def _benchmark(self, name: str, probed: Sequence[Probed]) -> dict[str, Any]:
        rows = np.array(
            [row for row, pair in enumerate(self._pairs) if pair.benchmark == name], dtype=np.intp
        )
        shape = len(self._pairs), len(self._orders)
        prob_a = self._prob_a.reshape(*shape, len(VERSIONS))[rows]
        own_mass = self._mass.reshape(*shape, len(VERSIONS))[rows, :, VERSIONS.index("own")]
        figures = measure(
            {version: prob_a[..., at] for at, version in enumerate(VERSIONS)},
            self._wrote_a.reshape(shape)[rows],
            self._prompt[rows],
        )
        judged = [item for item in probed if item.case.slot in self.judgments]
        texts = [item.texts for item in judged if item.texts]
        no_verdict = sum(bool(np.isnan(self._wrote_a[item.case.slot])) for item in judged)
        no_swap = Counter(swap for of in texts if isinstance(swap := of["swap"], str))
        return {
            "pairs": len(rows),
            "prompts": len(np.unique(self._prompt[rows])),
            **figures.as_dict(),
            # Small where the judge would not have written its verdict in a box there: then the readings say little.
            "mean_mass": None if np.isnan(own_mass).all() else float(np.nanmean(own_mass)),
            "counts": {
                "judgments": len(judged),
                "no_verdict": no_verdict,
                "no_rationale": len(judged) - no_verdict - len(texts),
                "no_mention": no_swap["no_mention"],
                "ambiguous": no_swap["ambiguous"],
                "no_other": sum(of["other"] is None for of in texts),
            },
        }

    def _probed(self) -> Iterator[Probed]:
        """Every case with every version of its rationale, read back from the log; only for when all are judged."""
        own: dict[int, Written] = {}
        ends: dict[int, Verdict] = {}
        donors: dict[Verdict, list[Case]] = {"A": [], "B": []}
        # By slot and not as the answers came, so that a resumed run gives each case the same donor.
        for slot, judgment in self.judgments.records():
            text = written(judgment, self._written_in)
            # A verdict that a letter stands for, and something before it that it could hang on.
            if judgment.verdict in ("A", "B") and (text.rationale or text.thinking):
                own[slot] = text
                ends[slot] = in_pair_letters(judgment.verdict, judgment.order)
                donors[ends[slot]].append(self._cases[slot])
        for case in self._cases:
            if case.slot not in own:
                yield Probed(case, {})
                continue
            text = own[case.slot]
            half = truncated(text)
            # The floor has to end in the other letter as it is shown, or the letter alone would keep the verdict; and
            # a pair shown in both orders is never its own donor.
            others = donors[opposite(ends[case.slot])]
            start = call_seed(self._seed, "other", case.pair.benchmark, case.pair.id, case.order)
            in_turn = (others[(start + step) % len(others)] for step in range(len(others)))
            donor = next((other for other in in_turn if other.pair is not case.pair), None)
            yield Probed(
                case,
                {
                    "own": text,
                    "swap": swapped(text, case.pair),
                    "other": None if donor is None else replaced(text, own[donor.slot]),
                    "truncate": half,
                    "truncate_swap": swapped(half, case.pair),
                    "drop": dropped(text),
                },
            )

    def _slot(self, record: Judgment | Reading) -> int:
        row = self._rows.get((record.benchmark, record.pair_id))
        if row is None or record.order not in self._orders:
            raise InputError(
                f"pair {record.pair_id!r} of {record.benchmark!r} in order {record.order} is not in this run"
            )
        return row * len(self._orders) + self._orders.index(record.order)

    def _note_judgment(self, slot: int, judgment: Judgment) -> None:
        if judgment.verdict in ("A", "B"):
            self._wrote_a[slot] = judgment.verdict == "A"

    def _note_reading(self, slot: int, reading: Reading) -> None:
        self._prob_a[slot], self._mass[slot] = reading.prob_a, reading.mass
        if reading.failure != "call":
            self._read[slot] = reading.text_digest


async def probe(
    pairs: Iterable[PreferencePair],
    judge: Judge,
    reader: Reader,
    out: Path,
    *,
    orders: Sequence[Order] = ("ab",),
    seed: int = 0,
    written_in: VerdictFormat = BOXED,
    in_flight: int = 32,
    config: Mapping[str, object] | None = None,
    fingerprint: Mapping[str, object] | None = None,
    console: Console | None = None,
) -> Results:
    """Probe a judge into the run directory `out`, resuming what is recorded there; see `ralign.runs.run`.

    Raises:
        InputError: a bad row, no pairs, or another run's directory.
        RunLocked: another process writes to `out`.
        EndpointRefused: no call can succeed; what was recorded stays.
    """
    plan = ProbePlan(
        pairs,
        out,
        judge.judge,
        reader.read,
        orders=orders,
        seed=seed,
        written_in=written_in,
    )
    return await run(
        "probe",
        plan,
        out,
        config=config,
        fingerprint={"pairs_digest": plan.digest, **(fingerprint or {})},
        in_flight=in_flight,
        console=console,
    )

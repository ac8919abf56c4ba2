"""Files of labelled judgments -> `LabelledJudgment`; or the judgments of a run, labelled by its meta-judge.

A row names a judgment (`ralign.evals.label_rows`) and holds a label: of the whole rationale, or of each point of the
gold rationale. What a meta-judge would have to read (`conversations`, `response_A`, `response_B`, `gt_label`,
`gold_rationale`, `rationale`) is needed only where one is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, cast

import orjson

from ralign.errors import InputError
from ralign.evals.bench.plan import JUDGMENTS, SCORES
from ralign.evals.calibrate.config import LabelColumns
from ralign.evals.label_rows import JudgmentKey, read_decision, read_key, read_label_rows
from ralign.files import RowLocation, decode, read_log, read_scores
from ralign.files.pair_rows import PROMPT_COLUMNS, Row, expected, pair_from_row, string
from ralign.records import Judgment, PreferencePair

_LABEL_COLUMNS = ("aligned", "human_aligned")
_QUESTION_COLUMNS = (*PROMPT_COLUMNS, "question")
_MATERIAL = (
    "conversations",
    "response_A",
    "response_B",
    "gt_label",
    "gold_rationale",
    "gt_judgment",
    "rationale",
)

Decisions = tuple[bool | None, ...]
"""One a point of the gold rationale; of a whole rationale, one alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledJudgment:
    """One judgment, and what the reference says of it."""

    key: JudgmentKey
    prompt: str
    """The same for judgments of one prompt: the unit of every interval."""
    groups: Mapping[str, str]
    """By column, the value to give figures by."""
    label: Decisions
    points: tuple[str, ...] | None = None
    """Texts of the gold points that are labelled one by one; None: the whole rationale is."""
    row: Row
    location: RowLocation

    @property
    def material(self) -> tuple[PreferencePair, Judgment]:
        """Material that a meta-judge is asked about.

        Raises:
            BadRow: the row does not hold it.
        """
        gold = self.row.get("gt_judgment") or self.row.get("gold_rationale")
        row = {**self.row, "id": self.key.pair_id, "gt_judgment": gold, "source": None}
        pair = pair_from_row(row, self.location, benchmark=self.key.benchmark)
        if pair.label not in ("A", "B"):
            raise expected(self.row, "gt_label", "'A' or 'B'", self.location)
        if pair.gold_rationale is None:
            raise expected(self.row, "gold_rationale", "the gold rationale", self.location)
        benchmark, name, order, draw = self.key
        rationale = string(self.row, "rationale", self.location)
        return pair, Judgment(pair_id=name, benchmark=benchmark, order=order, draw=draw, rationale=rationale)


class Labelled(NamedTuple):
    """Labelled judgments, and where the labels come from."""

    judgments: list[LabelledJudgment]
    unlabelled: int
    """Rows left out, as nobody says anything of them."""
    reference: str

    @property
    def of_points(self) -> bool:
        """Whether single points are labelled."""
        return self.judgments[0].points is not None

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the judgments and their labels."""
        digest = blake2b(digest_size=8)
        for each in self.judgments:
            digest.update(orjson.dumps([*each.key, each.label, each.row.get("rationale")]))
        return digest.hexdigest()

    @property
    def asked_digest(self) -> str:
        """16 hexadecimal digits that name what a meta-judge reads of them, whatever people said."""
        digest = blake2b(digest_size=8)
        for each in self.judgments:
            digest.update(orjson.dumps([*each.key, [each.row.get(name) for name in _MATERIAL]]))
        return digest.hexdigest()


def read_labelled(sources: Sequence[str], columns: LabelColumns, *, against: str | None = None) -> Labelled:
    """Read the files.

    Args:
        sources: paths, globs or hub names.
        columns: the names of the columns.
        against: a column of another meta-judge's decisions, to take for the labels.

    Raises:
        InputError: a file that cannot be read, or no label at all.
        BadRow: a row that cannot be used, a label that says neither, or a judgment that comes twice.
    """
    rows = list(read_label_rows(sources))
    column = against or columns.label_column
    if column is None:
        column = next((name for name in _LABEL_COLUMNS if any(name in row for _, row in rows)), None)
    if column is None or not any(column in row for _, row in rows):
        raise InputError(
            f"{', '.join(sources)}: no column {column or ' or '.join(_LABEL_COLUMNS)}; --label-column names people's"
        )
    seen: dict[JudgmentKey, RowLocation] = {}
    judgments: list[LabelledJudgment] = []
    for location, row in rows:
        key = read_key(row, location)
        if (earlier := seen.setdefault(key, location)) is not location:
            raise location.bad(f"is about the judgment of {earlier}, expected each one once")
        value = row.get(column)
        cells = cast("list[object]", value) if isinstance(value, list) else [value]
        try:
            label = tuple(map(read_decision, cells))
        except ValueError as error:
            if against is None:
                raise location.bad(f"{column}: {error}") from None
            label = (None,)
        if any(each is not None for each in label):
            # The pair's id where the row does not show the question.
            question = next((row[name] for name in _QUESTION_COLUMNS if row.get(name)), key.pair_id)
            prompt = blake2b(orjson.dumps([key.benchmark, question]), digest_size=8).hexdigest()
            points = _points(row, columns.points_column, len(cells), location)
            judgments.append(
                LabelledJudgment(
                    key=key,
                    prompt=prompt,
                    groups={name: str(row[name]) for name in columns.by if row.get(name) is not None},
                    label=label,
                    points=points if isinstance(value, list) else None,
                    row=row,
                    location=location,
                )
            )
    if not judgments:
        raise InputError(f"{', '.join(sources)}: the column {column} is empty in every row")
    if len({each.points is None for each in judgments}) > 1:
        raise InputError(f"{column}: some labels are lists and some are not, expected one of both")
    reference = f"people's labels ({column})" if against is None else against
    return Labelled(judgments, len(rows) - len(judgments), reference)


def labelled_by_run(path: Path) -> Labelled:
    """The judgments that a run's meta-judge decided, with its decisions for labels.

    Raises:
        InputError: a directory without scores, or without any decision.
    """
    scores = path / SCORES
    if not scores.exists():
        raise InputError(f"{path}: has no {SCORES}; expected a run directory that `ralign bench` wrote")
    rationales = read_rationales(path)
    judgments: list[LabelledJudgment] = []
    for line, score in enumerate(read_scores(scores), start=1):
        key = JudgmentKey(score.benchmark, score.pair_id, score.order, score.draw)
        if score.aligned is not None:
            judgments.append(
                LabelledJudgment(
                    key=key,
                    prompt=f"{score.benchmark} {score.prompt}",
                    groups={} if score.subset is None else {"subset": score.subset},
                    label=(score.aligned,),
                    row={"rationale": rationales.get(key)},
                    location=RowLocation(str(scores), line),
                )
            )
    if not judgments:
        raise InputError(f"{path}: its meta-judge decided nothing")
    return Labelled(judgments, 0, str(path))


def read_rationales(path: Path) -> dict[JudgmentKey, str]:
    """The rationales of a run directory; also without their benchmark, as rows of labels may name none.

    Raises:
        BadRow: a line that is no judgment.
    """
    log = path / JUDGMENTS
    found: dict[JudgmentKey, str] = {}
    for line in read_log(log, skip_partial=True):
        judgment = decode(Judgment, line.data, RowLocation(str(log), line.number))
        key = JudgmentKey(judgment.benchmark, judgment.pair_id, judgment.order, judgment.draw)
        found[key] = found[key._replace(benchmark="")] = judgment.rationale
    return found


def _points(row: Row, column: str, count: int, location: RowLocation) -> tuple[str, ...]:
    """Texts of the points; empty ones where the row has none."""
    texts = row.get(column)
    if texts is None:
        return ("",) * count
    if not isinstance(texts, list) or len(cast("list[object]", texts)) != count:
        raise expected(row, column, f"a list of {count}, as many as there are labels", location)
    return tuple(map(str, cast("list[object]", texts)))

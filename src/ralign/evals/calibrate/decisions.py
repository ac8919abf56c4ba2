"""Decisions of a meta-judge about labelled judgments: a column of their rows, a run directory, or its fresh answers."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from ralign.errors import InputError
from ralign.evals.bench.elsewhere import meta_judge_identity
from ralign.evals.bench.plan import META_JUDGMENTS
from ralign.evals.calibrate.labelled import Decisions, LabelledJudgment, read_rationales
from ralign.evals.label_rows import JudgmentKey, read_decision, same_rationale
from ralign.files import RowLocation, decode, read_log
from ralign.metajudging import majority
from ralign.records import GoldPoint, MetaJudgment


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaJudgeDecisions:
    """Decisions of one meta-judge on every labelled judgment."""

    name: str
    identity: Mapping[str, str]
    """The part of a run's fingerprint that makes two meta-judges the same one; empty where nobody knows."""
    judges: tuple[str, ...]
    """Who wrote the rationales, as far as it is known."""
    decided: Sequence[Decisions | None]
    """By judgment, as many decisions as it has labels; None: it was not asked. A decision that is None: it was asked,
    and decided nothing."""
    votes: Sequence[Sequence[bool | None]]
    """By judgment, its votes about the whole rationale; empty where there is only the decision."""


def recorded_decisions(judgments: Sequence[LabelledJudgment], column: str) -> MetaJudgeDecisions:
    """Decisions in a column of the labelled rows: truth values, words, or whole answers, as our parser reads them.

    A list has one for each labelled point: truth values, or objects with `stated`.

    Raises:
        InputError: no row has the column.
        BadRow: a list of another length than the labels'.
    """
    if not any(column in each.row for each in judgments):
        raise InputError(f"--recorded {column}: no labelled row has this column")
    decided: list[Decisions | None] = []
    for each in judgments:
        value = each.row.get(column)
        cells = cast("list[object]", value) if isinstance(value, list) else [value]
        if each.points is not None and value is not None and len(cells) != len(each.label):
            raise each.location.bad(
                f"{column} has {len(cells)} decisions, expected {len(each.label)}, one a labelled point"
            )
        found = tuple(map(_decision, cells))
        # Nothing in the cell is no decision of any point.
        decided.append(found if len(found) == len(each.label) else (None,) * len(each.label))
    judges = tuple(dict.fromkeys(each.groups["judge"] for each in judgments if "judge" in each.groups))
    return MetaJudgeDecisions(name=column, identity={}, judges=judges, decided=decided, votes=())


def run_decisions(judgments: Sequence[LabelledJudgment], path: Path, name: str) -> MetaJudgeDecisions:
    """Decisions in a run directory of `ralign bench`, the majority of its votes.

    Raises:
        InputError: no such directory, none of the judgments is there, or they are not those that were labelled.
        BadRow: a line that is no meta-judgment.
    """
    log = path / META_JUDGMENTS
    if not log.exists():
        raise InputError(
            f"{path}: has no {META_JUDGMENTS}; expected a run directory of `ralign bench` with a meta-judge"
        )
    votes: dict[JudgmentKey, dict[int, MetaJudgment]] = {}
    for line in read_log(log, skip_partial=True):
        meta = decode(MetaJudgment, line.data, RowLocation(str(log), line.number))
        about = JudgmentKey(meta.benchmark, meta.pair_id, meta.order, meta.draw)
        # Of two lines about one vote the later counts. Rows of people's own files may name no benchmark.
        for key in (about, about._replace(benchmark="")):
            votes.setdefault(key, {})[meta.vote] = meta
    said = [list(votes.get(each.key, {}).values()) for each in judgments]
    if not any(said):
        raise InputError(
            f"{path}: its meta-judge was asked about none of the labelled judgments, of which the first is "
            f"{judgments[0].key.pair_id!r} (docs/formats.md)"
        )
    # The names of two judges' judgments are the same: only the texts tell labels of the one from those of the other.
    rationales = read_rationales(path)
    for each in judgments:
        labelled, judged = each.row.get("rationale"), rationales.get(each.key)
        if isinstance(labelled, str) and judged is not None and not same_rationale(labelled, judged):
            raise InputError(
                f"{path}: the rationale about {each.key.pair_id!r} is not the labelled one ({each.location}): "
                "a meta-judge is measured on the very rationales that people labelled"
            )
    return voted_decisions(judgments, said, name, *run_identity(path))


def voted_decisions(
    judgments: Sequence[LabelledJudgment],
    said: Sequence[Sequence[MetaJudgment]],
    name: str,
    identity: Mapping[str, str],
    judges: tuple[str, ...],
) -> MetaJudgeDecisions:
    """Decisions by majority of the votes; of points, by majority for each."""
    decided: list[Decisions | None] = []
    for each, votes in zip(judgments, said, strict=True):
        if not votes:
            decided.append(None)
        elif each.points is None:
            decided.append((majority(vote.aligned for vote in votes),))
        else:
            lists = [_stated(each.points, vote.points) for vote in votes]
            decided.append(tuple(majority(of_one) for of_one in zip(*lists, strict=True)))
    votes = [[vote.aligned for vote in own] for own in said] if any(len(own) > 1 for own in said) else ()
    return MetaJudgeDecisions(name=name, identity=identity, judges=judges, decided=decided, votes=votes)


def run_identity(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The meta-judge of a run, by its fingerprint (empty where its meta-judgments were recorded elsewhere); its judge.

    Raises:
        InputError: a config.toml or results.json that cannot be read.
    """
    try:
        config = tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))
        results: dict[str, Any] = orjson.loads((path / "results.json").read_bytes())
        recorded: dict[str, Any] = config.get("fingerprint", {})
        votes = str(results["meta_votes"])
    except (OSError, tomllib.TOMLDecodeError, orjson.JSONDecodeError, LookupError) as error:
        raise InputError(f"{path}: is not what `ralign bench` wrote ({error})") from None
    judge = str(recorded.get("judge") or "")
    return meta_judge_identity(recorded, votes), (judge,) if judge else ()


def _decision(value: object) -> bool | None:
    # A whole answer that nobody can read is a decision that is missing, as it is in a run.
    try:
        stated = cast("dict[str, object]", value).get("stated") if isinstance(value, dict) else value
        return read_decision(stated)
    except ValueError:
        return None


def _stated(points: Sequence[str], said: Iterable[GoldPoint]) -> Decisions:
    """Decision on each gold point, matched by its text: a list in other words decides nothing."""
    by_text = {" ".join(point.text.casefold().split()): point.stated for point in said}
    return tuple(by_text.get(" ".join(text.casefold().split())) if text else None for text in points)

"""A sheet for people to label: which of a run's right verdicts, and all that a person needs to see of each.

Comes in: a finished run directory and its pairs. Goes out: `label_sheet.jsonl` and `label_sheet.csv`, the same rows
twice, with an empty column `aligned`. The meta-judge's decision is not in it, nor anything that follows from it: rows
stand in an order of hashes, and how much of each stratum was drawn is known from the run.

Of each benchmark so many verdicts are drawn, half called misaligned and half aligned (or all there are, and the more of
the other): where misaligned ones are rare, a plain sample would hold almost none. One verdict of a prompt, as others of
the same one would say little new.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from ralign.errors import InputError
from ralign.evals.label_rows import JudgmentKey, hashed, read_key, read_label_rows
from ralign.files import RowLocation, decode, read_log, read_scores, write_atomically
from ralign.metajudging import SWAPPED_NOTE
from ralign.records import Judgment, PreferencePair, Score

SHEET = "label_sheet"


def draw_sheet(scores: Iterable[Score], size: int) -> list[Score]:
    """So many verdicts of each benchmark, half called misaligned; a greater size takes all that a smaller one takes."""
    by_prompt: dict[tuple[str, int], Score] = {}
    for score in scores:
        if score.aligned is not None and score.verdict == score.label:
            prompt = score.benchmark, score.prompt
            by_prompt[prompt] = min(by_prompt.get(prompt, score), score, key=_hash)
    drawn: list[Score] = []
    for benchmark in dict.fromkeys(name for name, _ in by_prompt):
        own = sorted((each for (name, _), each in by_prompt.items() if name == benchmark), key=_hash)
        misaligned = [each for each in own if not each.aligned]
        aligned = [each for each in own if each.aligned]
        taken = min(len(misaligned), max(size - size // 2, size - len(aligned)))
        drawn += misaligned[:taken] + aligned[: size - taken]
    return sorted(drawn, key=_hash)


def write_sheet(
    run: Path, pairs: Iterable[PreferencePair], size: int, *, scores: Path, judgments: Path, judge: str
) -> str:
    """Draw a sheet and write it into the run directory; a sentence that says what was drawn.

    Args:
        run: the run directory; its run is finished.
        pairs: the run's.
        size: verdicts of each benchmark.
        scores: the run's scores.
        judgments: the run's judgments.
        judge: who wrote the rationales.

    Raises:
        InputError: no verdict to label, or a sheet of others that is there already.
        WriteFailed: the disk is full or refuses.
    """
    drawn = draw_sheet(read_scores(scores), size)
    if not drawn:
        raise InputError(f"{run}: no right verdict that the meta-judge decided, so there is nothing to label")
    wanted = {_key(each): at for at, each in enumerate(drawn)}
    rationales: dict[int, str] = {}
    for line in read_log(judgments, skip_partial=True):
        judgment = decode(Judgment, line.data, RowLocation(str(judgments), line.number))
        at = wanted.get(JudgmentKey(judgment.benchmark, judgment.pair_id, judgment.order, judgment.draw))
        if at is not None:
            rationales[at] = judgment.rationale
    names = {(each.benchmark, each.pair_id) for each in drawn}
    of_names = {(pair.benchmark, pair.id): pair for pair in pairs if (pair.benchmark, pair.id) in names}
    rows: list[dict[str, Any]] = []
    for at, score in enumerate(drawn):
        pair = of_names[score.benchmark, score.pair_id]
        rows.append(
            {
                **_key(score)._asdict(),
                "subset": pair.subset,
                "judge": judge,
                "conversations": [{"role": turn.role, "content": turn.content} for turn in pair.conversation],
                "response_A": pair.response_a,
                "response_B": pair.response_b,
                "gt_label": pair.label,
                "gold_rationale": pair.gold_rationale,
                "note": SWAPPED_NOTE if score.order == "ba" else "",
                "rationale": rationales[at],
                "aligned": None,
            }
        )
    files = {
        run / f"{SHEET}.jsonl": b"".join(orjson.dumps(row) + b"\n" for row in rows),
        run / f"{SHEET}.csv": _csv(rows),
    }
    for path, content in files.items():
        # Never written over: people may have filled it in.
        if not path.exists():
            write_atomically(path, content)
        elif [read_key(row, at) for at, row in read_label_rows([str(path)])] != [*map(_key, drawn)]:
            raise InputError(
                f"{path}: is a sheet of other verdicts; people may have filled it in: move it away"
            )
    return (
        f"{len(drawn):,} verdicts to label, in {run}/{SHEET}.jsonl and .csv: fill in `aligned` (true or false: does "
        "the rationale rest on the decisive reasons of the gold rationale?), then give the file to --labels."
    )


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        # A person reads turns, not JSON.
        turns = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in row["conversations"])
        writer.writerow({**row, "conversations": turns}.values())
    return text.getvalue().encode()


def _key(score: Score) -> JudgmentKey:
    return JudgmentKey(score.benchmark, score.pair_id, score.order, score.draw)


def _hash(score: Score) -> bytes:
    return hashed(_key(score))

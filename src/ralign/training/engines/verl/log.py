"""Reward log of verl's samples: one line each, written by every reward worker, gathered into the training log.

verl's V1 trainer logs the scores of a training step, and drops the flags beside them. Without these lines nobody would
see that a meta-judge has failed for an hour.
"""

import os
import secrets
import socket
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from ralign.errors import InputError, WriteFailed
from ralign.files import AppendLog, read_log
from ralign.training.engines.verl.score import VerlScore
from ralign.training.train_log import Step


class RewardLog:
    """One worker's file in a folder that all workers share.

    Raises:
        WriteFailed: the folder or the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteFailed(f"{folder}: cannot be made: {error.strerror}") from error
        # Process numbers repeat, on other nodes and when a run is resumed.
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._log = AppendLog(folder / name)

    def append(self, pair_id: str, weights: int, score: VerlScore) -> None:
        """Write one sample's line.

        Args:
            pair_id: what it was about.
            weights: the training step whose weights it was sampled with; 0 where verl does not say.
            score: what it got.

        Raises:
            WriteFailed: the disk is full, or refuses.
        """
        self._log.append(orjson.dumps({"pair_id": pair_id, "weights": weights, **score}))

    def close(self) -> None:
        """Close the file."""
        self._log.close()


def gather_steps(folder: Path) -> list[Step]:
    """The lines of all workers as a training log: one step for all samples of the same weights, in their order.

    The metrics have the names that the TRL engine logs them under (`ralign.training.reward.reward_metrics`).

    Raises:
        InputError: a line that is none of ours.
    """
    by_weights: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        for line in read_log(path, skip_torn=True):
            try:
                row = cast("dict[str, Any]", orjson.loads(line.data))
                by_weights[int(row["weights"])].append(row)
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{path}:{line.number}: is no line of a reward log") from None
    steps: list[Step] = []
    for weights, rows in sorted(by_weights.items()):
        judged = [row for row in rows if row["asked"] and row["judge_ok"]]
        metrics = {
            "reward": _mean(rows, "score"),
            "parse_failure": 1 - _mean(rows, "parsed"),
            "label_right": _mean(rows, "acc"),
            "asked": _mean(rows, "asked"),
            # Over nothing there is no share: None, which the log shows as null.
            "aligned_of_asked": _mean(judged, "aligned") if judged else None,
            "not_scored": 1 - _mean(rows, "judge_ok"),
        }
        steps.append(Step(weights, metrics, tuple(sorted({str(row["pair_id"]) for row in rows}))))
    return steps


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float:
    return sum(float(row[name]) for row in rows) / len(rows)

"""Score of one sample as verl takes it, the fallback where there is none, and the log of all samples' scores.

verl's V1 trainer logs the scores of a training step, and drops the flags beside them. Without a log of our own, written
by every reward worker and gathered into the training log, nobody would see that a meta-judge has failed for an hour.
"""

import os
import secrets
import socket
from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypedDict, cast

import orjson

from ralign.errors import InputError, RalignError, WriteFailed
from ralign.files import AppendLog, read_log
from ralign.records import GoldPoint, Judgment, MetaJudgment
from ralign.rewards.judge import JudgeReward
from ralign.training.train_log import Step

_REMEMBERED: Final = 256
"""Rewards that the fallback is the mean of."""


class NotScored(RalignError):
    """Nothing is known of a completion's reward, and `unscored` is to leave it out."""


class VerlScore(TypedDict):
    """One sample's reward and flags, all of them numbers: verl takes the first sample's keys for all others."""

    score: float
    acc: float
    """1 where the verdict is the label."""
    aligned: float
    """1 where the meta-judge said that the reason is gold's; 0 where it said otherwise, or nothing."""
    asked: float
    """1 where the reward needs a meta-judgment. With `ralign`, the mean of `aligned` over those asked for with
    `judge_ok` 1 is 1 - S-Corr."""
    parsed: float
    """1 where a verdict could be read."""
    judge_ok: float
    """1, or 0 where `score` is a fallback."""


class FallbackScore:
    """Score of a completion that could not be scored: the mean of the last that were as right as it is.

    Before there are any it is the middle between the reward with an aligned rationale and with a misaligned one,
    which then counts as one observation.
    """

    def __init__(self, formula: JudgeReward) -> None:
        self._middle: dict[bool, float] = {}
        for right in (True, False):
            judgment = Judgment(pair_id="", verdict="A" if right else "B")
            rewards = [
                formula(
                    "A",
                    judgment,
                    MetaJudgment(pair_id="", aligned=aligned, points=(GoldPoint(text="", stated=aligned),)),
                )
                for aligned in (True, False)
            ]
            self._middle[right] = sum(cast("list[float]", rewards)) / len(rewards)
        self._last = {right: deque[float](maxlen=_REMEMBERED) for right in (True, False)}

    def observe(self, reward: float, *, right: bool) -> None:
        """Count a reward that the meta-judge had its say in."""
        self._last[right].append(reward)

    def of(self, *, right: bool) -> float:
        """Expected reward of a completion with a right verdict, or with a wrong one or none."""
        last = self._last[right]
        return (self._middle[right] + sum(last)) / (1 + len(last))


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
        """Write one sample's line. `weights`: the training step whose weights sampled it; 0 where verl does not say.

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
        for line in read_log(path, skip_partial=True):
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

"""Results of other programs in their real schemas, small and written new."""

import json
import struct
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DATE = "2026-11-24T10-15-00.250000"


def lighteval(results: dict[str, dict[str, float]], *, max_samples: int | None = None) -> dict[str, object]:
    """As lighteval 0.13's EvaluationTracker.results."""
    means = {metric: value for metrics in results.values() for metric, value in metrics.items()}
    return {
        "config_general": {
            "lighteval_sha": "?",
            "num_fewshot_seeds": 1,
            "max_samples": max_samples,
            "job_id": "0",
            "start_time": 19695.75,
            "end_time": 19696.25,
            "total_evaluation_time_secondes": "0.5",
            "model_config": {"model_name": "openai/tern-8b", "provider": "openai", "api_key": None},
            "model_name": "openai/tern-8b",
        },
        "results": {**results, "all": means},
        "versions": {},
        "config_tasks": {task: {"name": task.partition("|")[0], "num_fewshots": 0} for task in results},
        "summary_tasks": {},
        "summary_general": {"hashes": {}, "truncated": 0, "non_truncated": 30},
    }


def lighteval_folder(
    root: Path,
    task: str,
    results: dict[str, float],
    texts: list[list[str]],
    reasonings: list[list[str | None]],
) -> Path:
    """What a run with --save-details leaves: results and details. Gives the results file."""
    details = root / "details" / "openai" / "tern-8b" / DATE
    details.mkdir(parents=True)
    rows = [
        {
            "doc": {"id": str(number)},
            "metric": {"m": 1.0},
            "model_response": {"text": text, "reasonings": reasoning},
        }
        for number, (text, reasoning) in enumerate(zip(texts, reasonings, strict=True))
    ]
    pq.write_table(pa.Table.from_pylist(rows), details / f"details_{task}|0_{DATE}.parquet")
    path = root / "results" / "openai" / "tern-8b" / f"results_{DATE}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(lighteval({f"{task}|0": results})))
    return path


def lm_eval(
    results: dict[str, dict[str, object]], *, limit: float | None = None, seen: int = 30
) -> dict[str, object]:
    """As lm-eval 0.4.13's EvaluationTracker writes it."""
    return {
        "results": {
            task: {"name": task, "alias": task, "sample_len": 30, **each} for task, each in results.items()
        },
        "group_subtasks": {task: [] for task in results},
        "configs": {task: {"task": task, "num_fewshot": 0} for task in results},
        "versions": dict.fromkeys(results, 0.0),
        "n-shot": dict.fromkeys(results, 0),
        "higher_is_better": {task: {"exact_match": True} for task in results},
        "n-samples": {task: {"original": 30, "effective": seen} for task in results},
        "config": {"model": "local-chat-completions", "limit": limit, "bootstrap_iters": 100000},
        "git_hash": None,
        "date": 1795000000.0,
        "lm_eval_version": "0.4.13",
        "model_source": "local-chat-completions",
        "model_name": "tern-8b",
        "model_name_sanitized": "tern-8b",
    }


def inspect_log(
    task: str,
    scores: list[dict[str, object]],
    *,
    status: str = "success",
    limit: int | None = None,
    seen: int = 30,
) -> dict[str, object]:
    """As the header of inspect-ai 0.3.285's log, format 2."""
    return {
        "version": 2,
        "status": status,
        "eval": {
            "eval_id": "e1",
            "run_id": "r1",
            "created": "2026-11-24T10:15:00+00:00",
            "task": task,
            "task_version": 0,
            "dataset": {"name": "d", "samples": 30},
            "model": "openai/tern-8b",
            "config": {"epochs": 1, **({} if limit is None else {"limit": limit})},
        },
        "plan": {"name": "plan", "steps": []},
        "results": {"total_samples": 30, "completed_samples": seen, "scores": scores},
        "stats": {"started_at": "2026-11-24T10:15:00+00:00"},
    }


def inspect_score(
    name: str, value: float, *, unscored: int = 0, metric: str = "accuracy"
) -> dict[str, object]:
    return {
        "name": name,
        "scorer": name,
        "scored_samples": 30 - unscored,
        "unscored_samples": unscored,
        "params": {},
        "metrics": {
            metric: {"name": metric, "value": value, "params": {}},
            "stderr": {"name": "stderr", "value": 0.08, "params": {}},
        },
    }


def zstandard_zip(path: Path, name: str, frames: list[bytes], *, crc: int | None = None) -> Path:
    """A ZIP with one entry, compressed with Zstandard in so many frames: Python writes none before 3.14."""
    data = b"".join(frames)
    packed = b"".join(pa.compress(frame, codec="zstd", asbytes=True) for frame in frames)
    checksum = zlib.crc32(data) if crc is None else crc
    # version needed, flags, method, time, date, checksum, sizes, length of the name, length of the extra field
    fields = struct.pack("<HHHHHLLLHH", 63, 0, 93, 0, 33, checksum, len(packed), len(data), len(name), 4)
    extra = b"xx\x00\x00"
    local = b"PK\x03\x04" + fields + name.encode() + extra + packed
    central = (
        b"PK\x01\x02"
        + struct.pack("<H", 63)
        + fields
        + struct.pack("<HHHLL", 0, 0, 0, 0, 0)
        + name.encode()
        + extra
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    return path

"""The only place where records meet disk.

    pairs           files of preference pairs -> PreferencePair, and back     (JSONL, Parquet; path, glob, hf://)
    judgments       one line of JSON <-> Judgment, MetaJudgment
    scores          what a run's judgments count for, one line each
    table           a CSV of figures, one row a model
    log             append-only logs of such lines, and the lock on a run directory
    digest          one short name for the content of a set of pairs
    claim           config.toml of a run directory, and whether it is the same run
    atomic          files that are there complete or not at all

Two modules are imported inside the functions that need them, against the house rule: `parquet` (pyarrow,
0.15 s) and `hub` (huggingface_hub, 0.2 s). Most runs touch neither, and a command line should answer at once.
"""

from ralign.files.atomic import replacing, write_atomically
from ralign.files.claim import check_fingerprint
from ralign.files.digest import PairsDigest
from ralign.files.judgments import (
    JudgmentRow,
    MetaJudgmentRow,
    decode_judgment,
    decode_judgment_row,
    decode_meta_judgment,
    decode_meta_judgment_row,
    encode_judgment,
    encode_meta_judgment,
)
from ralign.files.log import AppendLog, DirectoryLock, LogLine, read_line_at, read_log
from ralign.files.pairs import read_pairs, read_rows, write_pairs
from ralign.files.rows import list_bad_rows
from ralign.files.scores import read_scores, write_scores
from ralign.files.sources import PairsFile, find_pairs_files
from ralign.files.table import Table, read_table, write_table

__all__ = [
    "AppendLog",
    "DirectoryLock",
    "JudgmentRow",
    "LogLine",
    "MetaJudgmentRow",
    "PairsDigest",
    "PairsFile",
    "Table",
    "check_fingerprint",
    "decode_judgment",
    "decode_judgment_row",
    "decode_meta_judgment",
    "decode_meta_judgment_row",
    "encode_judgment",
    "encode_meta_judgment",
    "find_pairs_files",
    "list_bad_rows",
    "read_line_at",
    "read_log",
    "read_pairs",
    "read_rows",
    "read_scores",
    "read_table",
    "replacing",
    "write_atomically",
    "write_pairs",
    "write_scores",
    "write_table",
]

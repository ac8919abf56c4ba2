"""The only place where records meet disk.

    pairs           files of preference pairs -> PreferencePair, and back     (JSONL, Parquet; path, glob, hf://)
    records         one line of JSON <-> a record of a model's call: Judgment, MetaJudgment, ...
    scores          what a run's judgments count for, one line each
    table           a CSV of figures, one row a model
    log             append-only logs of such lines, and the lock on a run directory
    digest          one short name for the content of a set of pairs
    fingerprint     config.toml of a run directory, and whether it is the same run
    atomic          files that are there complete or not at all

Two modules are imported inside the functions that need them, against the house rule: `parquet` (pyarrow,
0.15 s) and `hub` (huggingface_hub, 0.2 s). Most runs touch neither, and a command line should answer at once.
"""

from ralign.files.atomic import replacing, write_atomically
from ralign.files.digest import PairsDigest, digest_of_file, prompt_number
from ralign.files.fingerprint import check_fingerprint, versions
from ralign.files.log import AppendLog, DirectoryLock, LogLine, read_line_at, read_log
from ralign.files.pair_source import PairSource
from ralign.files.pairs import read_pairs, read_rows, write_pairs
from ralign.files.records import Decoded, decode, decode_row, encode
from ralign.files.rows import RowLocation, list_bad_rows
from ralign.files.scores import read_scores, write_scores
from ralign.files.sources import PairsFile, find_pairs_files
from ralign.files.table import Table, read_table, write_table

__all__ = [
    "AppendLog",
    "Decoded",
    "DirectoryLock",
    "LogLine",
    "PairSource",
    "PairsDigest",
    "PairsFile",
    "RowLocation",
    "Table",
    "check_fingerprint",
    "decode",
    "decode_row",
    "digest_of_file",
    "encode",
    "find_pairs_files",
    "list_bad_rows",
    "prompt_number",
    "read_line_at",
    "read_log",
    "read_pairs",
    "read_rows",
    "read_scores",
    "read_table",
    "replacing",
    "versions",
    "write_atomically",
    "write_pairs",
    "write_scores",
    "write_table",
]

"""The only place where records meet disk.

    rows            files of rows: JSONL, JSON arrays, CSV, Parquet, Arrow
    pairs           files of preference pairs -> PreferencePair, and back     (JSONL, Parquet; path, glob, hf://)
    records         one line of JSON <-> a record of a model's call, or what one counts for (`scores.jsonl`)
    sample          which of the pairs a limit takes
    table           a CSV of figures, one row a model
    log             append-only logs of such lines, files that are there complete or not at all, a directory's lock
    fingerprint     config.toml of a run directory, digests of its inputs, and whether it is the same run

Two modules are imported inside the functions that need them, against the house rule: `parquet` (pyarrow,
0.15 s) and `hub` (huggingface_hub, 0.2 s). Most runs touch neither, and a command line should answer at once.
"""

from ralign.files.fingerprint import PairsDigest, check_fingerprint, digest_of_file, prompt_number, versions
from ralign.files.log import (
    AppendLog,
    LogLine,
    lock_directory,
    read_line_at,
    read_log,
    replacing,
    write_atomically,
)
from ralign.files.pair_rows import RowLocation, list_bad_rows
from ralign.files.pairs import PairSource, find_pairs_files, mark_taken, read_pairs, write_pairs
from ralign.files.records import Decoded, decode, decode_row, encode, read_scores, write_scores
from ralign.files.rows import PairsFile, read_rows
from ralign.files.table import Table, read_table, write_table

__all__ = [
    "AppendLog",
    "Decoded",
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
    "lock_directory",
    "mark_taken",
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

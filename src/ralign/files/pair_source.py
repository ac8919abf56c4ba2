"""The pairs of a run: read from disk as often as they are needed, or kept where the files are small."""

from collections.abc import Iterator, Sequence
from itertools import islice

from ralign.errors import BadRow, InputError
from ralign.files.pairs import read_pairs
from ralign.files.sources import PairsFile
from ralign.records import PreferencePair

# Larger files are read twice, once to count and once to ask, so that memory stays flat.
_KEPT_BYTES = 8 << 20


class PairSource:
    """Pairs files as a run takes them.

    Args:
        files: from `find_pairs_files`.
        limit: only the first so many pairs.
        skip_bad_rows: leave rows out that cannot be used, and list them in `skipped`.
    """

    def __init__(
        self, files: Sequence[PairsFile], *, limit: int | None = None, skip_bad_rows: bool = False
    ) -> None:
        self.files = files
        self.skipped: list[BadRow] = []
        """The rows left out, once the pairs have been read."""
        self._limit = limit
        self._skips = skip_bad_rows
        self._kept: list[PreferencePair] | None = None
        if sum(file.path.stat().st_size for file in files) <= _KEPT_BYTES:
            self._kept = list(self._read())

    def __iter__(self) -> Iterator[PreferencePair]:
        """The pairs, one by one.

        Raises:
            BadRow: a row cannot be used, unless bad rows are skipped.
            InputError: there is no usable pair.
        """
        none = True
        for pair in self._read() if self._kept is None else self._kept:
            none = False
            yield pair
        if none:
            raise InputError(f"{', '.join(file.name for file in self.files)}: no usable pair")

    def _read(self) -> Iterator[PreferencePair]:
        self.skipped.clear()
        skipped = self.skipped if self._skips else None
        return islice(read_pairs(self.files, skip_bad_rows=skipped), self._limit)

"""Which pairs get a gold rationale, and how often it is tried. Read from disk one by one; nothing is held."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ralign.data.gold.comments import human_comments
from ralign.errors import BadRow, InputError
from ralign.files import PairsDigest, PairsFile, read_pairs
from ralign.records import PreferencePair


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The pairs of a run without their texts."""

    rows: dict[tuple[str, str], int]
    """(benchmark, id) -> row, in the order of the files."""
    digest: str
    """Of everything that the writer and the check judge read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is written, apart from the models."""

    files: Sequence[PairsFile]
    draws_limit: int = 4
    limit: int | None = None
    rewrite: bool = False
    """Whether pairs that have a gold rationale get a new one; otherwise they are passed on as they are."""
    skip_bad_rows: bool = False
    pairs_in_flight: int = 64
    """Pairs worked on at once. The models bound their own calls; this bounds memory."""
    skipped: list[BadRow] = field(default_factory=list[BadRow])
    """Filled with the rows left out, where bad rows are skipped."""

    def pairs(self) -> Iterator[PreferencePair]:
        """The pairs, read from disk one by one.

        Raises:
            BadRow: a row cannot be used, unless bad rows are skipped.
        """
        self.skipped.clear()
        return islice(
            read_pairs(self.files, skip_bad_rows=self.skipped if self.skip_bad_rows else None), self.limit
        )

    def wants(self, pair: PreferencePair) -> bool:
        """Whether the pair is to get a gold rationale."""
        return self.rewrite or pair.gold_rationale is None

    def index(self) -> Index:
        """Read the pairs once.

        Raises:
            BadRow: a row cannot be used, unless bad rows are skipped.
            InputError: there are none.
        """
        rows: dict[tuple[str, str], int] = {}
        digest = PairsDigest()
        for row, pair in enumerate(self.pairs()):
            rows[pair.benchmark, pair.id] = row
            digest.add(pair, (human_comments(pair),))
        if not rows:
            raise InputError(f"{', '.join(file.name for file in self.files)}: no usable pair")
        return Index(rows=rows, digest=digest.hexdigest())

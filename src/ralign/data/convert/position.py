"""A comparison as a data set has it -> a `PreferencePair`. Pure.

Two answers with a label stay where they are: a benchmark's own letters are those of its recorded judgments. A better
and a worse answer have no places, and a seed gives them some. Which answer is A then follows from the pair's id and the
seed, so it depends neither on the order of the rows nor on which others are there. Each letter is the label about half
the time: a judge that favors a letter must gain nothing by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from ralign.judging import call_seed
from ralign.records import Message, PreferencePair, Verdict, opposite


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two answers, and which of them was found better."""

    conversation: tuple[Message, ...]
    first: str
    second: str
    label: Verdict | None = "A"
    """In the letters of the data set, `first` being A; None: nobody has said, or people did not agree."""
    id: str | None = None
    """None: named by its content."""
    subset: str | None = None
    other_columns: Mapping[str, object] = field(default_factory=dict[str, object])
    """The rest of the row, written out as it came."""


def as_pair(comparison: Comparison, *, benchmark: str, seed: int | None) -> PreferencePair:
    """The comparison as a pair; texts name one that has no id.

    Args:
        comparison: as the data set has it.
        benchmark: what the pair counts under.
        seed: says which answer is A; None leaves them in their places.
    """
    pair_id = comparison.id
    if pair_id is None:
        digest = blake2b(digest_size=8)
        turns = [part for message in comparison.conversation for part in (message.role, message.content)]
        for text in (*turns, comparison.first, comparison.second):
            data = text.encode("utf-8", "surrogatepass")
            # With its length before it: "ab", "c" and "a", "bc" are two different pairs.
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
        pair_id = digest.hexdigest()
    stays = seed is None or call_seed(seed, "placement", pair_id) % 2 == 0
    label = comparison.label
    source = {"benchmark": benchmark}
    if comparison.subset is not None:
        source["subset"] = comparison.subset
    return PreferencePair(
        id=pair_id,
        conversation=comparison.conversation,
        response_a=comparison.first if stays else comparison.second,
        response_b=comparison.second if stays else comparison.first,
        label=label if stays or label is None else opposite(label),
        benchmark=benchmark,
        source=source,
        unknown=comparison.other_columns,
    )

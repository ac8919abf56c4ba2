"""A preference as a data set has it (better, worse) -> a `PreferencePair`, A and B placed by a seed. Pure.

Which answer is A follows from the pair's id and the seed, so it depends neither on the order of the rows nor on which
others are there. Each letter is the label about half the time: a judge that favors a letter must gain nothing by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from ralign.judging import call_seed
from ralign.records import Message, PreferencePair


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One answer that was found better than another."""

    conversation: tuple[Message, ...]
    chosen: str
    rejected: str
    id: str | None = None
    """None: named by its content."""
    subset: str | None = None
    other_columns: Mapping[str, object] = field(default_factory=dict[str, object])
    """The rest of the row, written out as it came."""


def assign_positions(preference: Preference, *, benchmark: str, seed: int) -> PreferencePair:
    """The preference as a pair: the seed says which answer is A, and texts name a pair that has no id."""
    pair_id = preference.id
    if pair_id is None:
        digest = blake2b(digest_size=8)
        turns = [part for message in preference.conversation for part in (message.role, message.content)]
        for text in (*turns, preference.chosen, preference.rejected):
            data = text.encode("utf-8", "surrogatepass")
            # With its length before it: "ab", "c" and "a", "bc" are two different pairs.
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
        pair_id = digest.hexdigest()
    chosen_is_a = call_seed(seed, "placement", pair_id) % 2 == 0
    source = {"benchmark": benchmark}
    if preference.subset is not None:
        source["subset"] = preference.subset
    return PreferencePair(
        id=pair_id,
        conversation=preference.conversation,
        response_a=preference.chosen if chosen_is_a else preference.rejected,
        response_b=preference.rejected if chosen_is_a else preference.chosen,
        label="A" if chosen_is_a else "B",
        benchmark=benchmark,
        source=source,
        unknown=preference.other_columns,
    )

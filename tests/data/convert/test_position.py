from dataclasses import replace

from ralign.data.convert.position import Comparison, as_pair
from ralign.records import Message

COMPARISON = Comparison(
    conversation=(Message(role="user", content="Which yeast?"),),
    first="Dry.",
    second="Any.",
    subset="bread",
)


def numbered(count: int) -> list[Comparison]:
    return [replace(COMPARISON, first=f"Dry, {number} grams.") for number in range(count)]


def test_the_better_answer_stands_where_the_label_says() -> None:
    for preference in numbered(50):
        pair = as_pair(preference, benchmark="bakery", seed=1)
        better, worse = pair.response_a, pair.response_b
        if pair.label == "B":
            better, worse = worse, better
        assert (better, worse) == (preference.first, preference.second)


def test_each_letter_is_the_label_about_half_the_time() -> None:
    """2,000 fair coins lie within 5 standard deviations (112) of 1,000."""
    labels = [as_pair(preference, benchmark="bakery", seed=0).label for preference in numbered(2000)]
    assert abs(labels.count("A") - 1000) < 112


def test_the_placement_follows_from_the_pair_and_the_seed_alone() -> None:
    forwards = {p.id: p for p in (as_pair(each, benchmark="b", seed=3) for each in numbered(60))}
    backwards = {p.id: p for p in (as_pair(each, benchmark="b", seed=3) for each in reversed(numbered(60)))}
    assert forwards == backwards
    other_seed = {p.id: p for p in (as_pair(each, benchmark="b", seed=4) for each in numbered(60))}
    assert set(other_seed) == set(forwards)
    moved = sum(other_seed[pair_id].label != pair.label for pair_id, pair in forwards.items())
    assert 10 < moved < 50


def test_a_pair_without_an_id_is_named_by_all_its_texts() -> None:
    base = as_pair(COMPARISON, benchmark="b", seed=0).id
    turn = Message(role="user", content="Which flour?")
    changes = (
        {"first": "Wet."},
        {"second": "None."},
        {"conversation": (turn,)},
        {"first": "Dry.Any", "second": "."},
    )
    ids = {
        base,
        *(as_pair(replace(COMPARISON, **change), benchmark="b", seed=0).id for change in changes),
    }
    assert len(ids) == 5
    assert as_pair(replace(COMPARISON, subset="rye"), benchmark="c", seed=9).id == base


def test_benchmark_and_subset_are_in_the_source() -> None:
    assert as_pair(COMPARISON, benchmark="bakery", seed=0).source == {
        "benchmark": "bakery",
        "subset": "bread",
    }
    assert as_pair(replace(COMPARISON, subset=None), benchmark="bakery", seed=0).source == {
        "benchmark": "bakery"
    }

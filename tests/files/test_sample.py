"""The pairs that a limit takes: in proportion, whatever the order, and more of them under a higher limit."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ralign.files.sample import sample

KEYS = [
    (benchmark, str(number))
    for benchmark, size in (("quay", 60), ("mole", 30), ("pier", 10))
    for number in range(size)
]


def test_each_benchmark_gives_its_share() -> None:
    assert Counter(benchmark for benchmark, _ in sample(KEYS, 20)) == {"quay": 12, "mole": 6, "pier": 2}
    assert sample(KEYS, 1_000) == set(KEYS)


def test_it_is_drawn_and_not_the_first() -> None:
    assert sample(KEYS[:60], 10) != set(KEYS[:10])


@given(st.permutations(KEYS), st.integers(1, 99))
def test_the_order_of_the_files_does_not_matter_and_a_higher_limit_keeps_what_a_lower_one_took(
    keys, limit
) -> None:
    taken = sample(keys, limit)
    assert len(taken) == limit
    assert taken == sample(KEYS, limit)
    assert taken < sample(KEYS, limit + 1)

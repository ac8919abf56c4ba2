from ralign.judging import call_seed


def test_a_seed_is_the_same_in_every_process():
    """Worked once, kept: a rerun has to ask for the same draws."""
    assert call_seed(0, "judge", "bench", "pair-1", "ab", 0) == 390625877


def test_every_part_of_a_call_changes_its_seed():
    keys = [
        (seed, stage, benchmark, pair, order, draw)
        for seed in (0, 1)
        for stage in ("judge", "meta-judge")
        for benchmark in ("", "b")
        for pair in ("1", "2")
        for order in ("ab", "ba")
        for draw in (0, 1, 2)
    ]
    seeds = {call_seed(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_parts_do_not_run_into_each_other():
    assert call_seed("a", "bc") != call_seed("ab", "c")
    assert call_seed("1") != call_seed(1)

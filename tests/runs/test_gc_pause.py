import gc

import pytest

from ralign.runs.gc_pause import gc_pause


def test_collections_are_rarer_until_the_last_of_overlapping_runs_is_over():
    usual = gc.get_threshold()
    first, second = gc_pause(), gc_pause()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold() == (100 * usual[0], *usual[1:])
    first.__exit__(None, None, None)
    assert gc.get_threshold() != usual
    second.__exit__(None, None, None)
    assert gc.get_threshold() == usual


def test_a_run_that_fails_gives_the_collector_back():
    usual = gc.get_threshold()
    with pytest.raises(KeyError), gc_pause():
        raise KeyError
    assert gc.get_threshold() == usual

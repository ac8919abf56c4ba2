"""Garbage-collection pause: Python's collector, held back while a batch is being scored.

A batch in flight is very many objects that live for a second. Collections that find them alive move them among the
long-lived, and once those have grown by a quarter Python searches everything: with torch and transformers loaded that
is 0.3 s of processor time, every second batch of 512 (docs/decisions/reward_loop.md). Held back a hundredfold, most
batches are over, and freed by their reference counts, before any collection.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager

_FACTOR = 100

# The collector is the whole process's, so this is too: how many batches hold it back, and what it was before the first.
_batches = 0
_usual = gc.get_threshold()


@contextmanager
def gc_pause() -> Generator[None]:
    """Context in which Python collects garbage a hundred times more rarely; they may overlap."""
    global _batches, _usual
    if _batches == 0:
        _usual = gc.get_threshold()
        gc.set_threshold(_FACTOR * _usual[0], *_usual[1:])
    _batches += 1
    try:
        yield
    finally:
        _batches -= 1
        if _batches == 0:
            gc.set_threshold(*_usual)

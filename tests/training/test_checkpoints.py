from pathlib import Path

import pytest

from ralign.training.checkpoints import (
    MARKER,
    Checkpoint,
    is_complete,
    last_complete,
    mark_complete,
    prune,
    remove_partial,
    run_digest,
)

RUN = "0123456789abcdef"


def written(folder: Path, step: int, *, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    (path / "shards").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"w" * 100)
    (path / "shards" / "rng_state_0.pth").write_bytes(b"r" * 10)
    if sealed:
        mark_complete(path, RUN)
    return path


def test_a_run_goes_on_from_its_last_sealed_checkpoint(tmp_path: Path) -> None:
    assert last_complete(tmp_path / "none", RUN) is None
    for step in (50, 100, 1000):
        written(tmp_path, step)
    written(tmp_path, 1050, sealed=False)
    (tmp_path / "checkpoint-best").mkdir()
    assert last_complete(tmp_path, RUN) == Checkpoint(1000, tmp_path / "checkpoint-1000")


@pytest.mark.parametrize(
    "tear",
    [
        lambda path: (path / MARKER).unlink(),
        lambda path: (path / MARKER).write_text("{"),
        lambda path: (path / MARKER).write_text("[]"),
        lambda path: (path / "model.safetensors").unlink(),
        lambda path: (path / "shards" / "rng_state_0.pth").write_bytes(b"r" * 9),
    ],
)
def test_a_checkpoint_that_lacks_anything_is_not_whole(tmp_path: Path, tear) -> None:
    path = written(tmp_path, 50)
    assert is_complete(path, RUN)
    tear(path)
    assert not is_complete(path, RUN)


def test_another_runs_checkpoint_is_not_taken(tmp_path: Path) -> None:
    written(tmp_path, 50)
    assert last_complete(tmp_path, "another") is None


def test_torn_checkpoints_are_removed_and_whole_ones_stay(tmp_path: Path) -> None:
    written(tmp_path, 50)
    torn = written(tmp_path, 100, sealed=False)
    assert remove_partial(tmp_path, RUN) == [Checkpoint(100, torn)]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-50"]


def test_pruning_keeps_the_last_whole_ones_and_touches_no_torn_one(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        written(tmp_path, step)
    written(tmp_path, 20, sealed=False)
    prune(tmp_path, RUN, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-10",
        "checkpoint-15",
        "checkpoint-20",
    ]


def test_runs_that_differ_in_any_field_have_different_digests() -> None:
    assert run_digest({"seed": 0, "model": "m"}) == run_digest({"model": "m", "seed": 0})
    assert run_digest({"seed": 0, "model": "m"}) != run_digest({"seed": 1, "model": "m"})

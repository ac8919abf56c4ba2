"""Tests against the installed verl and Ray, on CPU: `make test-cluster`. Where verl is not installed there are none."""

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("verl") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    # Ray, verl and what they import warn of each other's deprecations, in part when they are imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        import verl.experimental.reward_loop.reward_loop
        import verl.trainer.ppo.v1  # noqa: F401  (the tests' own imports are then silent)
        from ray.cluster_utils import Cluster
        from tests.cluster.tiny import save_tiny_model

# Small, as several of them share two cores: Ray's own default for objects is a third of the memory.
OBJECT_STORE = 100 * 1024**2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "cluster" in Path(item.path).parts:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def one_node() -> Iterator[None]:
    """Ray on this machine; started once for all tests, as that takes a quarter of a minute."""
    # CPUs are only counted: what waits for one that is taken waits for ever.
    ray.init(num_cpus=16, object_store_memory=OBJECT_STORE, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[None]:
    """A cluster of two nodes, both on this machine; it takes the place of the one node."""
    ray.shutdown()
    cluster = Cluster()
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE, include_dashboard=False)
        ray.init(address=cluster.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()

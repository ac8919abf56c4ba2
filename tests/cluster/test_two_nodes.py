"""The same rewards on a Ray cluster of two nodes: the last file, as a process belongs to one cluster at a time."""

import pytest
from tests.cluster.test_reward_loop import score_with_faults


@pytest.mark.usefixtures("two_nodes")
async def test_every_sample_has_a_score_whichever_node_its_worker_is_on(tmp_path, tiny_model):
    await score_with_faults(tmp_path, tiny_model, nodes=2)

"""A cluster on this machine: each node is a process of Ray."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture(scope="session")
def cluster():
    """A head without cores. Its machines have keys for a bucket, as each machine of a cluster has its own."""
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[cluster]'")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "any")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            yield made
        finally:
            made.shutdown()


@pytest.fixture
def nodes(cluster):
    """Two nodes with a core each, beside the head, which has none."""
    made = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    yield made
    for node in made:
        with contextlib.suppress(Exception):  # a test may have killed it
            cluster.remove_node(node)

"""Jobs on a Ray cluster, results in order, as `common.pool` has them on one machine."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

from ifcn_tf.cluster.connection import connected, ray
from ifcn_tf.common.pool import Job, Result, in_order


def in_tasks(jobs: Iterable[Job[Result]], workers: int, address: str) -> Iterator[Result]:
    """Runs jobs, which can be pickled, on the cores of a cluster, and yields their results in order.

    What a machine that fails was at is done again elsewhere. At most four times `workers` results wait for the others.

    Raises:
        UserError: see `connected`.
    """
    with connected(address):
        task = ray.remote(_result)
        yield from in_order(jobs, lambda job: functools.partial(ray.get, task.remote(job)), 4 * workers)


def _result(job: Job[Result]) -> Result:
    return job()

"""Loads images on all cores. Imports no TensorFlow, so that a worker starts in a moment and stays small."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from ifcn_tf.data.example import Job, Loaded


def run_jobs(jobs: Iterable[Job], workers: int) -> Iterator[Loaded]:
    """Runs jobs in other processes, a few ahead of the consumer, and yields their results in order."""
    iterator = iter(jobs)
    # Started afresh rather than forked: a fork of a process that runs TensorFlow may hang.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        pending: deque[Future[Loaded]] = deque(
            pool.submit(_call, job) for job in itertools.islice(iterator, 4 * workers)
        )
        while pending:
            loaded = pending.popleft().result()
            pending.extend(pool.submit(_call, job) for job in itertools.islice(iterator, 1))
            yield loaded


def _call(job: Job) -> Loaded:
    return job()

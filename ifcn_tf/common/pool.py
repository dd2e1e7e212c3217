"""Loads images on all cores. Imports no TensorFlow, so that a worker starts in a moment and stays small."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from ifcn_tf.annotations.example import Job, Loaded
from ifcn_tf.common.files import UserError


def run_jobs(jobs: Iterable[Job], workers: int) -> Iterator[Loaded]:
    """Runs jobs in other processes, a few ahead of the consumer, and yields their results in order.

    Raises:
        UserError: a process was killed, as happens when memory is short.
    """
    try:
        yield from _in_order(jobs, workers)
    except BrokenProcessPool as error:
        raise UserError(
            "a process that loads images was killed, as happens when memory is short; try fewer workers (--workers)."
        ) from error


def _in_order(jobs: Iterable[Job], workers: int) -> Iterator[Loaded]:
    # Started afresh rather than forked: a fork of a process that runs TensorFlow may hang.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        submitted = (pool.submit(_call, job) for job in jobs)
        pending: deque[Future[Loaded]] = deque(itertools.islice(submitted, 4 * workers))
        while pending:
            loaded = pending.popleft().result()
            pending.extend(itertools.islice(submitted, 1))
            yield loaded


def _call(job: Job) -> Loaded:
    return job()

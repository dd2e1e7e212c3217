"""Runs jobs on all cores, in order. Imports no TensorFlow, so that a worker starts in a moment and stays small."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ifcn_tf.common.files import UserError

Result = TypeVar("Result")


def run_jobs(jobs: Iterable[Callable[[], Result]], workers: int) -> Iterator[Result]:
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


def _in_order(jobs: Iterable[Callable[[], Result]], workers: int) -> Iterator[Result]:
    # Started afresh rather than forked: a fork of a process that runs TensorFlow may hang.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        submitted = (pool.submit(_call, job) for job in jobs)
        pending: deque[Future[Result]] = deque(itertools.islice(submitted, 4 * workers))
        while pending:
            result = pending.popleft().result()
            pending.extend(itertools.islice(submitted, 1))
            yield result


def _call(job: Callable[[], Result]) -> Result:
    return job()

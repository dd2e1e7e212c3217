"""Jobs at the same time, results in order: in processes or in threads, a few ahead of whoever takes the results.

Imports no TensorFlow, so that a process starts in a moment and stays small.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.pool import ThreadPool
from typing import TypeVar

from ifcn_tf.common.files import UserError

Result = TypeVar("Result")
Job = Callable[[], Result]


def usable_cores() -> int:
    """Cores that this process may run on; a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(jobs: Iterable[Job[Result]], workers: int) -> Iterator[Result]:
    """Runs jobs, which can be pickled, in other processes, and yields their results in order.

    Raises:
        UserError: a process was killed, as happens when memory is short.
    """
    try:
        # Started afresh rather than forked: a fork of a process that runs TensorFlow may hang.
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            yield from in_order(jobs, lambda job: pool.submit(job).result, 4 * workers)
    except BrokenProcessPool as error:
        raise UserError(
            "a process that loads images was killed, as happens when memory is short; try fewer workers (--workers)."
        ) from error


def in_threads(jobs: Iterable[Job[Result]], workers: int) -> Iterator[Result]:
    """Runs jobs in other threads, or a single one in the caller's, and yields their results in order.

    The threads end with the process, so an interruption waits for no job.
    """
    if workers == 1:
        yield from (job() for job in jobs)
        return
    with ThreadPool(workers) as pool:
        yield from in_order(jobs, lambda job: pool.apply_async(job).get, 2 * workers)


def in_order(jobs: Iterable[Job[Result]], begin: Callable[[Job[Result]], Job[Result]], ahead: int) -> Iterator[Result]:
    """Results in order; `begin` gives what waits for a result. At most `ahead` jobs are begun and not yet taken."""
    begun = map(begin, jobs)
    pending = deque(itertools.islice(begun, ahead))
    while pending:
        result = pending.popleft()()
        pending.extend(itertools.islice(begun, 1))
        yield result

"""Jobs in processes and in threads: in order, a few ahead, and what ends them."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import threading
import time

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.common.pool import in_processes, in_threads

BOTH = pytest.mark.parametrize(("run", "ahead"), [(in_processes, 4 * 2), (in_threads, 2 * 2)])


def slower_first(number):
    time.sleep(0.05 if number % 3 == 0 else 0)
    return number


def counted(number, taken):
    taken.append(number)
    return functools.partial(slower_first, number)


@BOTH
def test_results_keep_their_order_and_few_jobs_are_begun(run, ahead):
    taken = []
    results = run((counted(number, taken) for number in range(40)), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= 3 + ahead
    assert list(results) == list(range(3, 40))


@BOTH
def test_fewer_jobs_than_workers_and_none(run, ahead):
    assert list(run([functools.partial(slower_first, 7)], 2)) == [7]
    assert list(run([], 2)) == []


@BOTH
def test_an_error_of_a_job_is_raised_in_its_place(run, ahead):
    results = run([functools.partial(int, text) for text in ("1", "x", "3")], 2)
    assert next(results) == 1
    with pytest.raises(ValueError, match="'x'"):
        next(results)


def test_processes_are_started_afresh():
    """A fork would have the modules of this one, TensorFlow among them, and may hang."""
    assert list(in_processes([functools.partial(eval, "'pytest' in __import__('sys').modules")], 1)) == [False]


def test_a_process_that_is_killed_is_explained():
    kill = f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGKILL)})"
    jobs = [functools.partial(eval, kill)] * 3
    with pytest.raises(UserError, match=r"was killed, as happens when memory is short; try fewer workers"):
        list(in_processes(jobs, 1))


def test_threads_work_at_the_same_time_and_one_alone_is_the_callers():
    barrier = threading.Barrier(3, timeout=5)
    assert len(set(in_threads([barrier.wait] * 3, 3))) == 3
    assert list(in_threads([threading.get_ident] * 2, 1)) == [threading.get_ident()] * 2
    assert threading.get_ident() not in set(in_threads([threading.get_ident] * 2, 2))


def test_an_interruption_waits_for_no_thread():
    program = (
        "import os, threading; from ifcn_tf.common.pool import in_threads\n"
        "def job(): os.write(1, b'a'); threading.Event().wait(60)\n"
        "list(in_threads([job] * 4, 2))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(2) == b"aa"
        time.sleep(0.5)  # CPython may lose a signal that comes just as its main thread begins to wait
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.communicate(timeout=30)[1]

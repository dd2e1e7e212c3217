"""On which devices a run trains."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import repeated

StrategyName = Literal["auto", "one_device", "mirrored", "multi_worker"]
#: Jobs of a cluster whose tasks train.
_JOBS = ("chief", "worker")


def make_strategy(name: StrategyName) -> tf.distribute.Strategy:
    """Builds the distribution strategy of a run; call it before anything else of TensorFlow.

    Args:
        name: "one_device": the first GPU, or the CPU. "mirrored": all GPUs of this machine, or all logical CPUs.
            "multi_worker": the machines that the environment variable TF_CONFIG names; waits for them, which it says.
            "auto": "mirrored" where there are several GPUs, else "one_device".

    Raises:
        UserError: an unknown name, no usable TF_CONFIG, or another worker that does not come within TensorFlow's limit.
    """
    if name not in get_args(StrategyName):
        raise UserError(f"strategy must be one of {', '.join(get_args(StrategyName))}, not {name}.")
    if name == "multi_worker":
        _say_who_is_waited_for(*worker_addresses())
        with workers_present():
            return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.OneDeviceStrategy(devices[0].name)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the files of the run: one of all workers does."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().jobs:
        return True
    return resolver.task_type == "chief" or (
        "chief" not in resolver.cluster_spec().jobs and resolver.task_type == "worker" and resolver.task_id == 0
    )


@contextlib.contextmanager
def workers_present() -> Iterator[None]:
    """Raises UserError when another worker of the run ends, or does not come, while this one waits for it."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        raise UserError(
            "another worker of this run has ended or cannot be reached: see what it printed, then start the same "
            "commands again on all of them; the run goes on from its last checkpoint."
        ) from error


def _say_who_is_waited_for(own: str, others: Sequence[str]) -> None:
    if others:
        workers = f"{len(others)} other worker{'s' * (len(others) > 1)}: {', '.join(others)}"
        print(f"{own} waits for {workers}; kill -9 {os.getpid()} ends the wait", flush=True)


def worker_addresses() -> tuple[str, list[str]]:
    """The HOST:PORT of this worker, and those of the others; raises UserError where TF_CONFIG does not say them."""
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        task, index = config["task"]["type"], config["task"]["index"]
        jobs = {job: config["cluster"].get(job, []) for job in _JOBS}
        others = {(job, number): address for job in _JOBS for number, address in enumerate(jobs[job])}
        own = others.pop((task, index), None)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG: "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        ) from error
    if own is None:
        raise UserError(f"TF_CONFIG has no host:port for its task: its cluster lists no {task} number {index!r}.")
    addresses = [own, *others.values()]
    for address in addresses:
        _require_port(address)
    if again := repeated(addresses):
        raise UserError(f"TF_CONFIG lists {again[0]} twice: each worker has an address of its own.")
    return own, addresses[1:]


def _require_port(address: object) -> None:
    host, _, port = str(address).rpartition(":")
    if not (host and "/" not in host and port.isdecimal() and 0 < int(port) < 2**16):
        raise UserError(f"TF_CONFIG names a worker {address!r}: give it as HOST:PORT, such as '10.0.0.1:2222'.")

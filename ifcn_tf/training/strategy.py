"""On which devices a run trains."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Literal, get_args

import tensorflow as tf

from ifcn_tf.common.files import UserError

StrategyName = Literal["auto", "one_device", "mirrored", "multi_worker"]


def make_strategy(name: StrategyName) -> tf.distribute.Strategy:
    """Builds the distribution strategy of a run; call it before anything else of TensorFlow.

    Args:
        name: "one_device": the first GPU, or the CPU. "mirrored": all GPUs of this machine, or all logical CPUs.
            "multi_worker": the machines that the environment variable TF_CONFIG names. "auto": "mirrored" where there
            are several GPUs, else "one_device".

    Raises:
        UserError: an unknown name, or no usable TF_CONFIG.
    """
    if name not in get_args(StrategyName):
        raise UserError(f"strategy must be one of {', '.join(get_args(StrategyName))}, not {name}.")
    if name == "multi_worker":
        _require_tf_config()
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
    """Raises UserError when another worker of the run ends while this one waits for it."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise UserError(
            "another worker of this run has ended or cannot be reached: see what it printed, then start the same "
            "commands again on all of them; the run goes on from its last checkpoint."
        ) from error


def _require_tf_config() -> None:
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        task, index = config["task"]["type"], config["task"]["index"]
        usable = task in ("chief", "worker") and 0 <= index < len(config["cluster"][task])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG: "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        ) from error
    if not usable:
        raise UserError(f"TF_CONFIG has no host:port for its task: its cluster lists no {task} number {index}.")

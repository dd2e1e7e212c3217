"""Proposals for images on a Ray cluster, into a folder that all its machines share."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.cluster.connection import connected, ray
from ifcn_tf.common.files import UserError
from ifcn_tf.config.cluster import ClusterConfig
from ifcn_tf.images.bucket import read_ahead
from ifcn_tf.results.folder import AnyPredictor, Finish, in_this_process
from ifcn_tf.results.output import Failure, Output

#: How often an actor is started again that died, be it of its images or with its machine; Ray alone never gives up.
_RESTARTS = 4


def on_cluster(load: Callable[[], AnyPredictor], config: ClusterConfig) -> Finish:
    """How a cluster proposes for images and writes what is wanted of each; see `results.folder.propose_images`.

    Only names of images and reasons of failures go through this process. An actor whose machine fails is started again
    elsewhere, and its images are done again, which writes the same files.

    Args:
        load: makes the predictor of an actor; is pickled, so that what it names must be there on each machine.
        config: which cluster.

    Raises:
        UserError: there is no such cluster, or no room on it; then an actor cannot make its predictor or write, says
            what it said, or dies again and again.
    """

    connection = contextlib.ExitStack()
    connection.enter_context(connected(config.address))  # at once: before a run that is not to be is begun
    room = _room(config)

    def finish(paths: Sequence[Path], output: Output) -> Iterator[Failure | None]:
        absolute = dataclasses.replace(output, folder=output.folder.absolute())
        with connection:
            for row in _answers(load, paths, absolute, config, room).iter_rows():
                if row["ends"]:
                    raise UserError(row["reason"])
                path = paths[row["number"]]
                reason = row["reason"].replace(str(path.absolute()), str(path))
                yield Failure(path, reason) if reason else None

    return finish


class _Actor:
    """A predictor on one of the machines. What ends the run is told in a row: Ray would show where it was raised."""

    def __init__(self, load: Callable[[], AnyPredictor], output: Output) -> None:
        self._load, self._output = load, output

    @functools.cached_property
    def _finish(self) -> Finish:
        return in_this_process(self._load())

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        paths = list(map(pickle.loads, batch["path"]))
        try:
            with read_ahead(paths):
                failures = list(self._finish(paths, self._output))
        except Exception as error:
            reason = str(error) if isinstance(error, UserError) else f"a predictor failed: {error!r}"
            return {"number": batch["number"][:1], "reason": [reason], "ends": [True]}
        reasons = [failure.reason if failure else "" for failure in failures]
        return {"number": batch["number"], "reason": reasons, "ends": [False] * len(reasons)}


def _answers(
    load: Callable[[], AnyPredictor], paths: Sequence[Path], output: Output, config: ClusterConfig, room: int
) -> ray.data.Dataset:
    blocks = max(1, math.ceil(len(paths) / config.images_per_task))
    rows = [{"number": number, "path": pickle.dumps(path.absolute())} for number, path in enumerate(paths)]
    size = min(config.actors or room, room, blocks)
    threads = {name: str(max(1, int(config.cpus))) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
    return ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=(load, output),
        batch_size=config.images_per_task,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size),
        num_cpus=config.cpus,
        num_gpus=config.gpus,
        ray_remote_args_fn=lambda: {"max_restarts": _RESTARTS},
        runtime_env={"env_vars": {**threads, "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}},
    )


def _room(config: ClusterConfig) -> int:
    """How many actors the machines of the cluster have room for; raises UserError where it is none."""
    wanted = {name: count for name, count in (("CPU", config.cpus), ("GPU", config.gpus)) if count}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(int(min(there.get(name, 0) / count for name, count in wanted.items())) for there in machines)
    if not room:
        raise UserError(
            f"no machine of the cluster has room for a predictor of {config.cpus:g} CPUs, {config.gpus:g} GPUs."
        )
    return room

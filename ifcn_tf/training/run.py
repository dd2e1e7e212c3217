"""A whole training run on prepared data: everything put together."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.records import Records
from ifcn_tf.training.curves import Curves
from ifcn_tf.training.first_weights import first_weights
from ifcn_tf.training.loop import train
from ifcn_tf.training.observers import Observer, Pictures, Validation
from ifcn_tf.training.strategy import workers_present
from ifcn_tf.training.tasks import TASKS
from ifcn_tf.training.trainer import Examples, Trainer
from ifcn_tf.training.workdir import open_workdir, run_record


@dataclasses.dataclass(frozen=True)
class Places:
    """What a run reads and where it writes.

    Attributes:
        data: folders that `prepare_data` wrote, to train on.
        validation_data: such folders to measure on; may be empty.
        workdir: the run's folder.
        weights: a `*.weights.h5` file of ours to start from, the name of a bundled model, or None.
        backbone: without `weights`: "imagenet" or a file of the trunk's ImageNet weights.
        shares: how often a pass shows the photographs of each folder of `data`; once where left out.
    """

    data: Sequence[Path]
    validation_data: Sequence[Path]
    workdir: Path
    weights: str | None
    backbone: str
    shares: Sequence[int] = ()

    def to_dict(self) -> dict[str, Any]:
        """What the run reads as plain JSON types, with a fingerprint of the data to train on.

        Raises:
            UserError: a data folder cannot be used.
        """
        records = Records.open(self.data)
        return {
            "data": [str(folder) for folder in self.data],
            "data_examples": len(records),
            "data_shares": list(self.shares),
            "data_partial": np.flatnonzero(records.partial).tolist(),  # numbers of the folders, from 0
            "data_fingerprint": hashlib.sha256(records.index.tobytes()).hexdigest()[:16],
            "validation_data": [str(folder) for folder in self.validation_data],
            "weights": self.weights,
            "backbone_weights": self.backbone,
        }


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a run ended: after which step, and by which signal, if by one."""

    step: int
    signal: int | None


def train_on_data(
    config: RunConfig, places: Places, strategy: tf.distribute.Strategy, observers: Sequence[Observer] = ()
) -> Ending:
    """Trains a network, or goes on with the run that is in `places.workdir`.

    Args:
        config: the settings.
        places: folders and files.
        strategy: the devices.
        observers: in addition to those for validation and pictures.

    Raises:
        UserError: whatever of the places, the settings or the loss stops the run.
    """
    TASKS[config.model.task].require_usable(config, places.data, places.validation_data)
    record = run_record(config, strategy, places.to_dict())
    open_workdir(places.workdir, record)
    initialize = functools.partial(first_weights, places.weights, places.backbone)
    with workers_present():
        trainer = Trainer(config, examples_of(config, places), places.workdir, strategy, initialize)
    return Ending(
        signal=train(trainer, places.workdir, record, [*_observers(config, places, record), *observers]),
        step=trainer.step,
    )


def examples_of(config: RunConfig, places: Places) -> Examples:
    """The examples of a run."""
    return functools.partial(
        training_examples, places.data, config.data, config.model, config.train.seed, shares=places.shares
    )


def _observers(config: RunConfig, places: Places, record: dict[str, Any]) -> Iterator[Observer]:
    task = TASKS[config.model.task]
    if places.validation_data:
        yield Validation(task.measure(config, places.validation_data), places.workdir / "best", record, task.best)
    yield Pictures(task.draw(config, places.validation_data or places.data))
    yield Curves(places.workdir, task.curves)

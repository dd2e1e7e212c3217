"""A run's network, optimiser, data and checkpoints on one strategy: everything that changes from step to step."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.presets import RunConfig
from ifcn_tf.data.records import naming_damage
from ifcn_tf.models.method import Method, build_network
from ifcn_tf.training.average import WeightAverage
from ifcn_tf.training.checkpoints import Checkpoints
from ifcn_tf.training.optimizer import optimizer_of
from ifcn_tf.training.step import TrainStep
from ifcn_tf.training.strategy import is_chief

#: (start, shard, num_shards) -> the examples of a run from number `start` on: `data.pipeline.training_examples` with
#: its other arguments bound.
Examples = Callable[[int, int, int], tf.data.Dataset]


@dataclasses.dataclass(frozen=True)
class StepReport:
    """What one step did."""

    step: int
    """Updates made so far, this one included."""
    scalars: dict[str, float]
    """Means over the images of this worker, the learning rate and the norm of the gradient."""
    wait_s: float
    """Time spent waiting for data [s]."""
    total_s: float
    """Time of the whole step [s]."""


class Trainer:
    """Takes a network through its training, step by step.

    Args:
        config: the settings of the run.
        examples: where the images come from.
        workdir: the run's folder; `checkpoints/` in it is read and written.
        strategy: on which devices.
        initialize: gives a new network its first weights; not called when the run goes on from a checkpoint.

    Attributes:
        network: the network in training.
        averaged: with the averages of its weights (`train.ema`), or `network` itself: what is measured, drawn and kept.
        first: updates made before this process, of a run that goes on.
        chief: whether this process writes the files of the run.

    Raises:
        UserError: images_per_step cannot be shared out over the replicas, or a checkpoint that does not fit.
    """

    def __init__(
        self,
        config: RunConfig,
        examples: Examples,
        workdir: Path,
        strategy: tf.distribute.Strategy,
        initialize: Callable[[Method], None],
    ) -> None:
        self.config, self.chief = config, is_chief(strategy)
        self._strategy, self._workdir = strategy, workdir
        self._images_per_replica = _images_per_replica(config.train.images_per_step, strategy.num_replicas_in_sync)
        with strategy.scope():
            self.network = build_network(config.model, config.train.precision)
            self.network.freeze(config.train.frozen_blocks)
            self._optimizer = optimizer_of(self.network, config.train)
            self._average = WeightAverage(self.network, config)
            self.averaged = self._average.network
            state = {"model": self.network.model, **self._optimizer.state, **self._average.state}
            self._checkpoints = Checkpoints(workdir / "checkpoints", state, config.train.keep_checkpoints)
            self.first = self._checkpoints.restore()
            if not self.first:
                initialize(self.network)
                self._average.restart()
            if self._sum_over_replicas(self.step) != self.step * strategy.num_replicas_in_sync:
                raise UserError(
                    "the workers found different checkpoints: --workdir must be one folder that all of them share."
                )
            if self.chief:
                self._checkpoints.remove_unfinished()
            self._iterator = iter(self._distribute(examples))
            self._step = TrainStep(
                self.network,
                self._optimizer,
                config.loss,
                config.train.images_per_step,
                self._iterator.element_spec,
            )

    @property
    def step(self) -> int:
        """Updates made so far."""
        return int(self._optimizer.step.numpy())

    def run_step(self) -> StepReport:
        """Makes one update.

        Raises:
            UserError: data that cannot be read; or a loss or gradient that is not finite, with every term and the
                images. Of the latter the weights may be spoilt: go on from the last checkpoint only.
        """
        begin, wait_s, records, image_ids = time.perf_counter(), 0.0, [], []
        for _ in range(self._images_per_replica):
            before = time.perf_counter()
            element = self._next_element()
            wait_s += time.perf_counter() - before
            records += [
                {name: float(value) for name, value in scalars.items()} for scalars in self._step.accumulate(element)
            ]
            image_ids += [_text(i) for i in self._strategy.experimental_local_results(element[1]["image_id"])]
        self._require_finite(self.step + 1, records, image_ids)
        rate = self.config.train.learning_rate(self.step)
        norm = self._step.update(rate)
        self._require_finite(self.step, [{**record, "gradient_norm": norm} for record in records], image_ids)
        self._average.follow(self.step - 1)
        means = {name: sum(record[name] for record in records) / len(records) for name in records[0]}
        scalars = {**means, "learning_rate": rate, "gradient_norm": norm}
        return StepReport(self.step, scalars, wait_s, time.perf_counter() - begin)

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is set on any worker; all of them must ask at the same point of the run."""
        return self._sum_over_replicas(int(flag)) > 0

    def _sum_over_replicas(self, number: int) -> int:
        numbers = self._strategy.run(tf.identity, (tf.constant(number, tf.int64),))
        return int(self._strategy.reduce(tf.distribute.ReduceOp.SUM, numbers, axis=None))

    def _require_finite(self, step: int, records: list[dict[str, float]], image_ids: list[str]) -> None:
        """Raises UserError on every worker when a record of any of them is not finite."""
        bad = [(image, record) for record, image in zip(records, image_ids, strict=True) if not _all_finite(record)]
        if not self.any_worker(bool(bad)):
            return
        terms = "; ".join(
            f"{', '.join(f'{name} = {value:g}' for name, value in record.items())} (image {image})"
            for image, record in bad
        )
        last = self._workdir / "last" / "model.weights.h5"
        start = f"from the last checkpoint's weights, --workdir=ANOTHER --weights={last}," if last.exists() else "again"
        raise UserError(
            f"step {step} is not finite: {terms or 'another worker names the image'}. Look at the image, or start "
            f"{start} with lower --set train.learning_rates."
        )

    def _next_element(self) -> Any:
        with naming_damage():
            return next(self._iterator)

    def save_checkpoint(self) -> None:
        """Writes a checkpoint, which the chief does; raises UserError when the disk does not take it."""
        self._checkpoints.save()

    def _distribute(self, examples: Examples) -> Any:
        start = self.step * self.config.train.images_per_step

        def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
            return examples(start, context.input_pipeline_id, context.num_input_pipelines)

        # Elements stay on the host until a replica uses them: image ids are strings, which no GPU holds.
        options = tf.distribute.InputOptions(experimental_fetch_to_device=False)
        return self._strategy.distribute_datasets_from_function(of_worker, options)


def _images_per_replica(images_per_step: int, replicas: int) -> int:
    if images_per_step % replicas:
        raise UserError(
            f"train.images_per_step = {images_per_step} cannot be shared out equally over {replicas} replicas; "
            "take a multiple of their number, or fewer devices."
        )
    return images_per_step // replicas


def _all_finite(record: dict[str, float]) -> bool:
    return all(math.isfinite(value) for value in record.values())


def _text(image_id: tf.Tensor) -> str:
    return image_id.numpy().decode(errors="replace")

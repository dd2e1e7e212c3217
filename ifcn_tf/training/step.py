"""One update of the weights from several images, each of its own size, on any number of replicas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.method import Method
from ifcn_tf.training.optimizer import Optimizer

Tensors = dict[str, tf.Tensor]
#: Brings a gradient into its sum.
Put = Callable[[tf.Variable, tf.Tensor], Any]


class TrainStep:
    """Adds up the gradients of images, one a replica at a time, and updates the weights with their mean.

    Call `accumulate` images_per_step / replicas times, then `update`. Since every image is normalised by its own
    windows and the mean is over images, the number of replicas does not matter. Build it within the strategy's scope.

    Args:
        network: what is trained, with its loss.
        optimizer: over the network's trainable variables.
        loss: settings of the loss.
        images_per_step: images of one update, of all replicas together.
        element_spec: of the strategy's iterator; an element is a pair (inputs, targets) of one image a replica.
    """

    def __init__(
        self, network: Method, optimizer: Optimizer, loss: LossConfig, images_per_step: int, element_spec: Any
    ) -> None:
        self._network, self._optimizer, self._loss, self._images = network, optimizer, loss, images_per_step
        self._strategy = tf.distribute.get_strategy()
        self._variables = [variable.value for variable in network.model.trainable_variables]
        # A sum for each replica; they meet only once a step, in `update`.
        self._sums = [
            tf.Variable(
                tf.zeros(variable.shape),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )
            for variable in self._variables
        ]
        # The first image of a step replaces the sums (which costs nothing), the further ones are added to them.
        self._replace, self._add = (
            tf.function(functools.partial(self._run_gradients, put), input_signature=[element_spec])
            for put in (_replace, _add)
        )
        self._is_first = True
        self._update = tf.function(self._run_update, input_signature=[tf.TensorSpec([], tf.float32)])

    def accumulate(self, element: Any) -> list[Tensors]:
        """Adds the gradients of one image a replica.

        Returns:
            The scalars of `Method.losses` and `Method.statistics` for each replica of this worker.
        """
        scalars = (self._replace if self._is_first else self._add)(element)
        self._is_first = False
        replicas = {name: self._strategy.experimental_local_results(value) for name, value in scalars.items()}
        return [dict(zip(replicas, values, strict=True)) for values in zip(*replicas.values(), strict=True)]

    def update(self, learning_rate: float) -> float:
        """Updates the weights with the mean of the gradients added since the last update.

        Returns:
            The Euclidean norm of that mean, without weight decay.
        """
        norm = self._update(tf.constant(learning_rate, tf.float32))
        self._is_first = True
        return float(self._strategy.experimental_local_results(norm)[0])

    def _run_gradients(self, put: Put, element: Any) -> Tensors:
        return self._strategy.run(self._put_gradients, (put, element))

    def _run_update(self, rate: tf.Tensor) -> tf.Tensor:
        return self._strategy.run(self._update_replica, (rate,))

    def _put_gradients(self, put: Put, element: tuple[Tensors, Tensors]) -> Tensors:
        inputs, targets = tf.nest.map_structure(lambda tensor: tensor[None], element)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            outputs = self._network.model(inputs, training=True)
            losses = self._network.losses(outputs, inputs, targets, self._loss)
            share = losses["loss"] / self._images
        for total, gradient in zip(self._sums, tape.gradient(share, self._variables), strict=True):
            put(total, gradient)
        return {**losses, **self._network.statistics(outputs, inputs, targets)}

    def _update_replica(self, rate: tf.Tensor) -> tf.Tensor:
        sums = [total.read_value() for total in self._sums]
        gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums)
        self._optimizer.apply(gradients, rate)
        return tf.linalg.global_norm(gradients)


def _replace(total: tf.Variable, gradient: tf.Tensor) -> None:
    total.assign(gradient)


def _add(total: tf.Variable, gradient: tf.Tensor) -> None:
    total.assign_add(gradient)

"""Stochastic gradient descent as Caffe does it, which is what the paper trained with."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


class MomentumSGD:
    """Momentum with coupled weight decay: v <- momentum * v - rate * (g + decay * w), then w <- w + v.

    Only kernels, that is variables of two axes or more, decay. Keras' SGD(weight_decay=...) is another rule: its decay
    passes the momentum by. Build it within the scope of the strategy that made the variables.

    Args:
        variables: the weights to train, float32.
        momentum: share of the last update that goes on.
        decay: weight decay, before the learning rate.

    Attributes:
        velocities: the momentum buffer of each variable.
        step: int64, updates made.
    """

    def __init__(self, variables: Sequence[tf.Variable], momentum: float, decay: float) -> None:
        self._variables = list(variables)
        self._momentum, self._decay = momentum, decay
        self.velocities = [
            tf.Variable(tf.zeros(variable.shape), trainable=False, name="velocity") for variable in variables
        ]
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """Updates the weights; called by each replica with the same, already summed gradients.

        Args:
            gradients: one for each variable, float32.
            rate: the learning rate.
        """
        tf.distribute.get_replica_context().merge_call(self._apply, (list(gradients), rate))

    def _apply(self, strategy: tf.distribute.Strategy, gradients: list[tf.Tensor], rate: tf.Tensor) -> None:
        for variable, velocity, gradient in zip(self._variables, self.velocities, gradients, strict=True):
            strategy.extended.update(variable, self._update, (velocity, gradient, rate))
        strategy.extended.update(self.step, lambda step: step.assign_add(1))

    def _update(self, variable: tf.Variable, velocity: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        if variable.shape.rank > 1:
            gradient += self._decay * variable
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle, accum=velocity.handle, lr=rate, grad=gradient, momentum=self._momentum
        )

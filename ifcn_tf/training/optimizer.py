"""How gradients change weights: Caffe's stochastic gradient descent, which the paper trained with, and AdamW."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from ifcn_tf.config.training import TrainConfig
from ifcn_tf.models.method import Method

#: AdamW's share of the last mean square that goes on, and what is added to its root; Keras' values.
_SQUARES_SHARE, _EPSILON = 0.999, 1e-7


class Optimizer(abc.ABC):
    """Changes weights by their gradients; only kernels, that is variables of two axes or more, decay.

    Build it within the scope of the strategy that made the variables.

    Args:
        variables: the weights to train, float32.
        momentum: share of the last velocity that goes on.
        decay: weight decay, before the learning rate.
        rate_factors: on the learning rate of each variable [ratio]; 1 where they are left out.

    Attributes:
        step: int64, updates made.
        state: what a checkpoint holds: the step, and lists of buffers by name, in each one for each variable.
    """

    #: Names of what is kept of each variable.
    buffers: ClassVar[tuple[str, ...]] = ("velocities",)

    def __init__(
        self, variables: Sequence[tf.Variable], momentum: float, decay: float, rate_factors: Sequence[float] = ()
    ) -> None:
        self._variables = list(variables)
        self._momentum, self._decay = momentum, decay
        self._rate_factors = list(rate_factors) or [1.0] * len(self._variables)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        buffers = {name: [_zeros_like(variable, name) for variable in variables] for name in self.buffers}
        self.state: dict[str, Any] = {"step": self.step, **buffers}

    @property
    def velocities(self) -> list[tf.Variable]:
        """What has gathered of the gradients of each variable."""
        return self.state["velocities"]

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """Updates the weights; called by each replica with the same, already summed gradients.

        Args:
            gradients: one for each variable, float32.
            rate: the learning rate.
        """
        rates = [rate * factor for factor in self._rate_factors]
        tf.distribute.get_replica_context().merge_call(self._apply, (list(gradients), rates))

    def _apply(self, strategy: tf.distribute.Strategy, gradients: list[tf.Tensor], rates: list[tf.Tensor]) -> None:
        buffers = (self.state[name] for name in self.buffers)
        for variable, *arguments in zip(self._variables, gradients, rates, *buffers, strict=True):
            strategy.extended.update(variable, self._update, arguments)
        strategy.extended.update(self.step, lambda step: step.assign_add(1))

    @abc.abstractmethod
    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *buffers: tf.Variable) -> None:
        """Updates a variable of one replica."""


class MomentumSGD(Optimizer):
    """Momentum with coupled weight decay: v <- momentum * v - rate * (g + decay * w), then w <- w + v.

    Keras' SGD(weight_decay=...) is another rule: its decay passes the momentum by.
    """

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *buffers: tf.Variable) -> None:
        if variable.shape.rank > 1:
            gradient += self._decay * variable
        (velocity,) = buffers
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle, accum=velocity.handle, lr=rate, grad=gradient, momentum=self._momentum
        )


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), the rule of Keras' AdamW.

    v <- momentum * v + (1 - momentum) * g and s <- .999 * s + .001 * g^2; w <- w - rate * decay * w, then in update t,
    from 1 on, w <- w - rate * sqrt(1 - .999^t) / (1 - momentum^t) * v / (sqrt(s) + 1e-7).
    """

    buffers = ("velocities", "squares")

    def _update(self, variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, *buffers: tf.Variable) -> None:
        if variable.shape.rank > 1:
            variable.assign_sub(rate * self._decay * variable)
        velocity, square = buffers
        number = tf.cast(self.step + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=velocity.handle,
            v=square.handle,
            beta1_power=self._momentum**number,
            beta2_power=_SQUARES_SHARE**number,
            lr=rate,
            beta1=self._momentum,
            beta2=_SQUARES_SHARE,
            epsilon=_EPSILON,
            grad=gradient,
        )


def _zeros_like(variable: tf.Variable, name: str) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape), trainable=False, name=name)


#: By the name that `train.optimizer` has.
OPTIMIZERS = {"sgd": MomentumSGD, "adamw": AdamW}


def optimizer_of(network: Method, config: TrainConfig) -> Optimizer:
    """The optimiser of a network's trained variables; the groups of its trunk learn at `trunk_rate` times the rate."""
    variables = network.model.trainable_variables
    layers = [layer for layer in network.model.layers if layer.name.startswith(network.trunk.groups)]
    of_trunk = {id(variable) for layer in layers for variable in layer.trainable_variables}
    factors = [config.trunk_rate if id(variable) in of_trunk else 1.0 for variable in variables]
    make = OPTIMIZERS[config.optimizer]
    return make([variable.value for variable in variables], config.momentum, config.weight_decay, factors)

"""The average of the weights over the last updates, which proposes better than the weights after any one of them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ifcn_tf.config.presets import RunConfig
from ifcn_tf.models.method import Method, build_network


class WeightAverage:
    """An exponential moving average a of weights w: after each update a <- d * a + (1 - d) * w.

    After the update number t, counted from 0, d is min(ema, (1 + t) / (10 + t)), so that the first weights are soon
    forgotten. Nothing is read back into training. Build it within the strategy's scope.

    Args:
        trained: the network in training.
        config: of the run; `train.ema` of 0 leaves the average out.

    Attributes:
        network: a network with the averages for weights; `trained` itself where there is no average.
        state: what a checkpoint holds: the averages, if there are any.
    """

    def __init__(self, trained: Method, config: RunConfig) -> None:
        self._decay, self._strategy = config.train.ema, tf.distribute.get_strategy()
        self._pairs: list[tuple[tf.Variable, tf.Variable]] = []
        self.network, self.state = trained, dict[str, Any]()
        if self._decay:
            self.network = build_network(config.model, config.train.precision)
            both = zip(self.network.model.weights, trained.model.weights, strict=True)
            self._pairs = [(average.value, weight.value) for average, weight in both]
            self.state = {"averages": [average for average, _ in self._pairs]}
        self._approach = tf.function(self._run_approach, input_signature=[tf.TensorSpec([], tf.float32)])

    def restart(self) -> None:
        """Begins anew, at the present weights."""
        for average, weight in self._pairs:
            average.assign(weight)

    def follow(self, step: int) -> None:
        """Takes in the weights after the update number `step`, counted from 0."""
        self._approach(tf.constant(1 - min(self._decay, (1 + step) / (10 + step)), tf.float32))

    def _run_approach(self, share: tf.Tensor) -> None:
        for average, weight in self._pairs:
            self._strategy.extended.update(average, _approach, (weight, share))


def _approach(average: tf.Variable, weight: tf.Variable, share: tf.Tensor) -> None:
    average.assign_add(share * (weight - average))

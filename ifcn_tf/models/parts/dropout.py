"""Dropout without a state, so that a run which goes on after an interruption drops what it would have dropped."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ifcn_tf")
class Dropout(keras.layers.Layer):
    """In training sets a random share of the values to 0, and scales the others up to the same mean.

    Keras' layer counts in a variable, which checkpoints leave out. Here the inputs themselves are the seed: they differ
    from step to step, and equal inputs lose equal values, on whichever replica.

    Args:
        rate: share that is dropped [0..1).
        seed: of this layer, so that layers on equal inputs differ.
    """

    def __init__(self, rate: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The same shape."""
        if not training:
            return inputs
        bits = tf.bitcast(tf.reduce_sum(tf.cast(inputs, tf.float32)), tf.int32)
        kept = tf.random.stateless_uniform(tf.shape(inputs), tf.stack([bits, self.seed])) >= self.rate
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The shape of the inputs."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}

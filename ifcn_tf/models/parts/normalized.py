"""Convolutions with batch normalisation whose statistics stay as they were read, and models without it.

Such a normalisation is linear: with scale = gamma / sqrt(variance + epsilon), normalising conv(x, kernel) equals
conv(x, kernel * scale) + (beta - mean * scale). Training computes that, so a normalised map is never made, and the
kernel learns through the scale. `for_inference` computes it once.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.models.parts.layers import Conv2D, DepthwiseConv2D

_EPSILON = 1e-3


class Normalized(keras.layers.Layer):
    """What turns a convolution into a normalised one: kernel trained, gamma, beta, mean and variance [C] kept for ever.

    Attributes:
        plain: the convolution with a bias that it folds into.
        scale_shape: of a number for each output channel, so that it multiplies a kernel.
    """

    plain: type[keras.layers.Layer]
    scale_shape: tuple[int, ...]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "padding": "same", "use_bias": False})

    def add_weight(self, *args: Any, **options: Any) -> keras.Variable:
        """As Keras'; scales are multiplied in float32 whatever the layer computes in."""
        return super().add_weight(*args, **{**options, "autocast": False})

    def build(self, shape: tuple) -> None:
        """Adds the statistics, of a normalisation that changes nothing but by epsilon."""
        super().build(shape)
        channels = (self.compute_output_shape(shape)[-1],)
        self.gamma, self.beta, self.moving_mean, self.moving_variance = (
            self.add_weight(name=name, shape=channels, initializer=initializer, trainable=False)
            for name, initializer in (
                ("gamma", "ones"),
                ("beta", "zeros"),
                ("moving_mean", "zeros"),
                ("moving_variance", "ones"),
            )
        )

    def folded(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Kernel and bias [C], float32, of the plain convolution with equal results."""
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + _EPSILON)
        return self.kernel * tf.reshape(scale, self.scale_shape), self.beta - self.moving_mean * scale

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, H, W, C] -> the activation of the normalised convolution."""
        kernel, bias = (tf.cast(value, self.compute_dtype) for value in self.folded())
        return self.convolved(inputs, kernel, bias, training)


@keras.saving.register_keras_serializable("ifcn_tf")
class NormalizedConv2D(Normalized, Conv2D):
    """`Conv2D` without bias, then normalisation, then the activation."""

    plain, scale_shape = Conv2D, (-1,)


@keras.saving.register_keras_serializable("ifcn_tf")
class NormalizedDepthwiseConv2D(Normalized, DepthwiseConv2D):
    """`DepthwiseConv2D` without bias, then normalisation, then the activation."""

    plain, scale_shape = DepthwiseConv2D, (-1, 1)


def for_inference(model: keras.Model) -> keras.Model:
    """A functional model without normalisation, its variables in the precision in which each layer computes.

    Returns:
        A copy of the present weights, with the same inputs, outputs and names of layers; the model itself where it is
        like that already.
    """
    if all(_is_plain(layer) for layer in model.layers):
        return model
    copy = keras.models.clone_model(model, clone_function=_plain)
    for layer in (layer for layer in model.layers if layer.weights):
        weights = map(np.array, layer.folded()) if isinstance(layer, Normalized) else layer.get_weights()
        copy.get_layer(layer.name).set_weights(list(weights))
    return copy


def _is_plain(layer: keras.layers.Layer) -> bool:
    return not isinstance(layer, Normalized) and layer.variable_dtype == layer.compute_dtype


def _plain(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = {**layer.get_config(), "dtype": layer.compute_dtype}
    if isinstance(layer, Normalized):
        return layer.plain.from_config({**config, "use_bias": True})
    return layer.from_config(config)

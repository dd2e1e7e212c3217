"""Fully connected layers that look at the windows of a map: at windows cut out of it, and sliding as a convolution.

A convolution with "same" padding lies around its centre as evenly as it can, a window of an even number of cells one
cell to the upper left of that. So both are asked of a map that lies one cell to the lower right (`shifted`, `pooled`).
Beyond a map's border values are 0.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ifcn_tf.models.parts.layers import Conv2D


def shifted(features: keras.KerasTensor, dtype: str) -> keras.KerasTensor:
    """Builds [B, h, w, C] -> [B, h + 1, w + 1, C]: cell (i, j) becomes (i + 1, j + 1), and those before are 0."""
    return keras.layers.ZeroPadding2D(((1, 0), (1, 0)), dtype=dtype)(features)


def pooled(features: keras.KerasTensor, dtype: str) -> keras.KerasTensor:
    """Builds the 2 x 2 maxima of a map whose values are not negative, [B, h, w, C] -> [B, h + 1, w + 1, C].

    Value (i, j) is that of the cells i - 1, i and j - 1, j. Every second one is what pooling with stride 2 gives of a
    window, wherever that begins (the interleaving trick of section 3.3).
    """
    padded = keras.layers.ZeroPadding2D(1, dtype=dtype)(features)
    return keras.layers.MaxPooling2D(2, 1, dtype=dtype)(padded)


@keras.saving.register_keras_serializable("ifcn_tf")
class WindowFeatures(keras.layers.Layer):
    """Lays out flat what windows hold of a map, row by row; in place of `slid` where windows are few.

    Args:
        cells: side of a window [values].
        step: cells of the map between neighbouring values.
    """

    def __init__(self, cells: int, step: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells, self.step = cells, step

    def call(self, features: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """[B, h, w, C] and windows int32 [B, N, 2], centre cells (y, x) on the map -> [B, N, cells * cells * C]."""
        margin = self.cells * self.step
        padded = tf.pad(features, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
        batch, height, width, channels = tf.unstack(tf.shape(padded))
        offsets = margin + self.step * tf.range(self.cells) - self.step * (self.cells - 1) // 2
        rows, columns = (windows[..., axis, None] + offsets for axis in (0, 1))  # [B, N, cells]
        image = tf.range(batch)[:, None, None, None]
        places = (image * height + rows[..., :, None]) * width + columns[..., None, :]
        values = tf.gather(tf.reshape(padded, [-1, channels]), places)
        return tf.reshape(values, [batch, -1, self.cells**2 * features.shape[-1]])

    def compute_output_shape(self, features_shape: tuple, windows_shape: tuple) -> tuple:
        """[B, N, cells * cells * C]."""
        return (*windows_shape[:2], self.cells**2 * features_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "cells": self.cells, "step": self.step}


def slid(
    layer: keras.layers.Dense, features: keras.KerasTensor, cells: int = 1, step: int = 1, padding: str = "same"
) -> keras.KerasTensor:
    """Builds the convolution that is a fully connected layer on the window around every cell of a map.

    Args:
        layer: on windows that `WindowFeatures(cells, step)` lays out; its present weights are copied.
        features: the map, [B, h, w, C].
        cells, step: of the windows; by default a window is a cell.
        padding: "same", or "valid" for windows within the map alone.

    Returns:
        [B, h, w, units].
    """
    convolution = Conv2D(
        layer.units,
        cells,
        dilation_rate=step,
        padding=padding,
        activation=layer.activation,
        kernel_initializer="zeros",
        dtype=layer.dtype_policy,
        name=layer.name,
    )
    outputs = convolution(features)
    kernel, *bias = layer.get_weights()
    convolution.set_weights([kernel.reshape(convolution.kernel.shape), *(bias or [np.zeros(layer.units)])])
    return outputs


def copied(layer: keras.layers.Dense, x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds the same layer, with a copy of its present weights, on other inputs, [N, C] -> [N, units]."""
    copy = layer.from_config(layer.get_config())
    outputs = copy(x)
    copy.set_weights(layer.get_weights())
    return outputs

"""A coarse map at the cells of a finer one: FCN's bilinear upsampling and its crop, in one (section 4.2)."""

from __future__ import annotations

import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ifcn_tf")
class Upsampled(keras.layers.Layer):
    """Interpolates a map bilinearly to a finer one; beyond its outermost cells these hold.

    The published network upsamples by a transposed convolution with a bilinear kernel, which is the same but that zeros
    hold beyond the map, and crops what it gives to the place of the finer map.

    Args:
        factor: cells of the finer map for each step of the coarse one.
        first: where the centre of the coarse map's first cell lies on the finer map, whose own first is 0 [cells of the
            finer map]; a multiple of a half.
    """

    def __init__(self, factor: int, first: float, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        self.factor, self.first = factor, first

    def call(self, scores: tf.Tensor, finer: tf.Tensor) -> tf.Tensor:
        """[B, h, w, C] at the cells of [B, H, W, D] -> float32 [B, H, W, C]."""
        halves = self.first % 1 != 0  # then cells of the finer map lie half-way between the places of the other kind
        centre = (self.factor - 1) / 2 if halves else 0.0  # of the first cell after resizing
        margin = max(1, math.ceil((self.first - centre) / self.factor))
        repeated = _repeated(_repeated(scores, margin, 1), margin, 2)
        size = self.factor * tf.shape(repeated)[1:3]
        resized = tf.raw_ops.ResizeBilinear(images=repeated, size=size, half_pixel_centers=halves)
        begin = round(margin * self.factor + centre - self.first)
        height, width = tf.unstack(tf.shape(finer)[1:3])
        return resized[:, begin : begin + height, begin : begin + width]

    def compute_output_shape(self, scores_shape: tuple, finer_shape: tuple) -> tuple:
        """[B, H, W, C]."""
        return (*finer_shape[:3], scores_shape[3])

    def get_config(self) -> dict[str, object]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "factor": self.factor, "first": self.first}


def _repeated(scores: tf.Tensor, margin: int, axis: int) -> tf.Tensor:
    """Repeats the first and the last cell along an axis so many times."""
    size = tf.shape(scores)[axis]
    return tf.gather(scores, tf.clip_by_value(tf.range(-margin, size + margin), 0, size - 1), axis=axis)

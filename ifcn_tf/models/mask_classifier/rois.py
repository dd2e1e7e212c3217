"""Regions of interest: what a map holds of boxes and of masks in them, and boxes relative to others."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ifcn_tf.config.network import ROI_CELLS

#: Values of a box's refinement are divided by these, so that they are about as large as scores (Fast R-CNN).
_DEVIATIONS = (0.1, 0.1, 0.2, 0.2)
#: A side grows by at most this [log of the ratio].
_MOST_GROWTH = 4.135
#: Smaller sides of boxes count as this [px].
_LEAST_PX = 1.0


@keras.saving.register_keras_serializable("ifcn_tf")
class RoiFeatures(keras.layers.Layer):
    """Warps boxes of a map to 14 x 14 cells bilinearly, and pools them to 7 x 7; the same times the boxes' masks.

    The value of a cell of a box is that of the map at the cell's centre; beyond the outermost centres of the map the
    nearest one holds.

    Args:
        stride: between the cells of the map [px].
        first: where the centre of its first cell lies, on both axes [px].
    """

    def __init__(self, stride: int, first: float, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.stride, self.first = stride, first

    def call(self, features: tf.Tensor, boxes: tf.Tensor, masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Features [B, h, w, C], boxes [B, N, 4] px and masks [B, N, 14, 14] in 0..1 -> [B, N, 49 C] of each path."""
        batch, count = tf.unstack(tf.shape(boxes)[:2])
        channels = features.shape[-1]
        places = tf.reshape((boxes - self.first) / self.stride, [-1, 4])
        warped = warp(tf.cast(features, tf.float32), places, tf.repeat(tf.range(batch), count))
        masked = warped * tf.reshape(masks, [-1, ROI_CELLS, ROI_CELLS, 1])
        pooled = (tf.nn.max_pool2d(values, 2, 2, "VALID") for values in (warped, masked))
        length = (ROI_CELLS // 2) ** 2 * channels
        flat = (tf.cast(tf.reshape(values, [batch, count, length]), self.compute_dtype) for values in pooled)
        return tuple(flat)

    def compute_output_shape(self, features_shape: tuple, boxes_shape: tuple, masks_shape: tuple) -> tuple:
        """[B, N, 49 C] twice."""
        shape = (*boxes_shape[:2], (ROI_CELLS // 2) ** 2 * features_shape[-1])
        return shape, shape

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild this layer."""
        return {**super().get_config(), "stride": self.stride, "first": self.first}


@keras.saving.register_keras_serializable("ifcn_tf")
class RefinedBoxes(keras.layers.Layer):
    """Boxes [B, N, 4] and refinements [B, N, C, 4] -> the boxes that these make of each, [B, N, C, 4]."""

    def call(self, boxes: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """See the class."""
        return refined(boxes[:, :, None], values)

    def compute_output_shape(self, boxes_shape: tuple, values_shape: tuple) -> tuple:
        """That of the refinements."""
        return values_shape


def warp(features: tf.Tensor, boxes: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Samples maps at the centres of 14 x 14 cells of boxes.

    `crop_and_resize` puts its first and last samples on the edges of what it crops, which here are the centres of the
    outermost cells, and takes edges as shares of the map from its first cell's centre to its last one's.

    Args:
        features: float32 [B, h, w, C].
        boxes: float32 [N, 4], in cells of the map, 0 at the centre of its first cell.
        image: int32 [N], which map each is of.

    Returns:
        float32 [N, 14, 14, C].
    """
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")  # by the nearest cell
    last = tf.cast(tf.shape(padded)[1:3] - 1, tf.float32)
    top_left, bottom_right = boxes[:, :2], boxes[:, 2:]
    margin = (bottom_right - top_left) / (2 * ROI_CELLS)
    ends = [1 + top_left + margin, 1 + bottom_right - margin]
    corners = tf.concat([tf.clip_by_value(end, 0.0, last) / last for end in ends], 1)
    return tf.image.crop_and_resize(padded, corners, image, [ROI_CELLS, ROI_CELLS])


def refinements(boxes: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """What a network has to say of boxes, float32 [..., 4], to make others of them (Girshick et al., R-CNN).

    Returns:
        float32 [..., 4]: moves of the centre in sides of the box, y and x, and logarithms of how its sides grow, all
        divided by how far they usually are from 0.
    """
    centre, side = _centres(boxes)
    wanted_centre, wanted_side = _centres(wanted)
    values = tf.concat([(wanted_centre - centre) / side, tf.math.log(wanted_side / side)], -1)
    return values / tf.constant(_DEVIATIONS)


def refined(boxes: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The boxes that `refinements` make of others, float32 [..., 4]; no side grows without bound."""
    centre, side = _centres(boxes)
    values = values * tf.constant(_DEVIATIONS)
    centre += values[..., :2] * side
    half = side * tf.exp(tf.minimum(values[..., 2:], _MOST_GROWTH)) / 2
    return tf.concat([centre - half, centre + half], -1)


def _centres(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    top_left, bottom_right = boxes[..., :2], boxes[..., 2:]
    return (top_left + bottom_right) / 2, tf.maximum(bottom_right - top_left, _LEAST_PX)

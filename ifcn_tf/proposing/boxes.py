"""Boxes of masks, and suppression by them, in a graph."""

from __future__ import annotations

import math

import tensorflow as tf


def within(boxes: tf.Tensor, image_shape: tf.Tensor) -> tf.Tensor:
    """Boxes [n, 4] less what lies outside of an image."""
    return tf.clip_by_value(boxes, 0.0, tf.tile(tf.cast(image_shape[:2], tf.float32), [2]))


def some(boxes: tf.Tensor) -> tf.Tensor:
    """Which of the boxes [n, 4] have an area; those of empty masks have none: bool [n]."""
    return tf.reduce_all(boxes[:, 2:] > boxes[:, :2], 1)


def suppressed(boxes: tf.Tensor, scores: tf.Tensor, most: int, iou: float) -> tf.Tensor:
    """Numbers of the boxes [n, 4] that non-maximum suppression leaves, best first: int32 [-].

    Those with a score of -inf are not left; but where no others are, the first is, since runtimes refuse empty tensors.
    """
    found = tf.raw_ops.NonMaxSuppressionV4(
        boxes=boxes, scores=scores, max_output_size=most, iou_threshold=iou, score_threshold=-math.inf
    )
    left = found.selected_indices[: found.valid_outputs]  # a runtime may fill up to `most`
    return tf.pad(left, [[0, tf.cast(tf.equal(found.valid_outputs, 0), tf.int32)]])


def tight_boxes(inside: tf.Tensor, windows_yxyx: tf.Tensor) -> tf.Tensor:
    """Boxes around the cells of binary masks.

    Args:
        inside: bool [N, m, m].
        windows_yxyx: float32 [N, 4], where each mask lies.

    Returns:
        float32 [N, 4] in the unit of `windows_yxyx`; a box of an empty mask has no area.
    """
    resolution = tf.shape(inside)[1]
    first, end = [], []
    for other_axis in (2, 1):
        occupied = tf.reduce_any(inside, other_axis)
        first.append(tf.reduce_min(tf.where(occupied, tf.range(resolution), resolution), 1))
        end.append(tf.reduce_max(tf.where(occupied, tf.range(1, resolution + 1), 0), 1))
    fractions = quotient(tf.stack(first + end, 1), resolution)
    top_left, bottom_right = windows_yxyx[:, :2], windows_yxyx[:, 2:]
    side = bottom_right - top_left
    return tf.tile(top_left, [1, 2]) + tf.tile(side, [1, 2]) * fractions


def quotient(dividend: tf.Tensor, divisor: tf.Tensor) -> tf.Tensor:
    """Of integers, in float32."""
    return tf.cast(dividend, tf.float32) / tf.cast(divisor, tf.float32)

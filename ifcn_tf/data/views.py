"""The objects of a record, and how the network sees it: boxes, pixels and masks of a view.

TensorFlow operations only; nothing depends on the number of pixels of a mask, because masks stay run lengths.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.config.training import DataConfig
from ifcn_tf.geometry import resized_hw
from ifcn_tf.images.tensors import decode, resized_part

Tensors = dict[str, tf.Tensor]


class Objects(NamedTuple):
    """The n objects of one image, in pixels of the original.

    Attributes:
        boxes_yxyx: int64 [n, 4], tight.
        is_crowd: bool [n].
        counts: int64 [r], run lengths of all masks, one after the other; those of each sum to height * width.
        num_counts: int64 [n], how many of them belong to each object.
        size_hw: int64 [2], the image.
        partial: bool, whether the image may show other objects, which nobody labelled.
    """

    boxes_yxyx: tf.Tensor
    is_crowd: tf.Tensor
    counts: tf.Tensor
    num_counts: tf.Tensor
    size_hw: tf.Tensor
    partial: tf.Tensor | bool = False


class View(NamedTuple):
    """How the network sees an image: resized, mirrored, cut. Pixels of the view count from the top left of the cut.

    Attributes:
        resized_hw: int64 [2], the image after resizing [px].
        flipped: bool, whether it is mirrored then.
        origin_yx: int64 [2], where the cut begins in the resized, mirrored image [px].
        shown_hw: int64 [2], the cut, within that image [px].
    """

    resized_hw: tf.Tensor
    flipped: tf.Tensor
    origin_yx: tf.Tensor
    shown_hw: tf.Tensor


def objects_of(record: Tensors) -> Objects:
    """The objects of a record, which is fully labelled unless it says otherwise (`Records.parsed`)."""
    size_hw = tf.stack([record["image/height"], record["image/width"]])
    boxes = tf.stack([record[f"image/object/bbox/{name}"] for name in ("ymin", "xmin", "ymax", "xmax")], 1)
    boxes = tf.round(boxes * tf.cast(tf.tile(size_hw, [2]), tf.float32))  # whole pixels, stored as fractions
    return Objects(
        tf.cast(boxes, tf.int64),
        record["image/object/is_crowd"] == 1,
        record["image/object/mask/counts"],
        record["image/object/mask/num_counts"],
        size_hw,
        record.get("image/partial", tf.constant(False)),
    )


def view_of(size_hw: tf.Tensor, shorter_side: tf.Tensor, flipped: tf.Tensor, config: DataConfig) -> View:
    """The view of a whole image (int64 [2], px) with a shorter side [px]."""
    shorter_side = tf.cast(shorter_side, tf.int64)
    size = tf.stack(resized_hw(size_hw[0], size_hw[1], shorter_side, config.longer_side_limit))
    return View(size, flipped, tf.zeros_like(size), size)


def largest_view_hw(config: DataConfig) -> tuple[int, int]:
    """Size of the largest view of a photograph of 4 : 3 [px]."""
    height, width = resized_hw(3, 4, round(max(config.shorter_sides) * config.scale_jitter), config.longer_side_limit)
    side = config.cut_side or width
    return min(height, side), min(width, side)


def image_of(record: Tensors, view: View) -> tf.Tensor:
    """The photograph of a record in a view, float32 [H, W, 3], RGB in 0..255."""
    image = record["image/decoded"] if "image/decoded" in record else decode(record["image/encoded"])
    image = tf.cond(view.flipped, lambda: tf.reverse(image, [1]), lambda: image)
    return resized_part(image, view.resized_hw, view.origin_yx, view.shown_hw)


def covers(objects: Objects, number: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Whether masks cover pixels of the original: looks up which run holds a pixel.

    Args:
        objects: the objects.
        number: int64, which object.
        y, x: int64, the pixel; all three are broadcast. Outside the image nothing is covered.

    Returns:
        bool, of the common shape.
    """
    height, width = tf.unstack(objects.size_hw)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    # The masks laid out flat one after the other, each column by column: the runs tile this line.
    position = number * height * width + tf.clip_by_value(x, 0, width - 1) * height + tf.clip_by_value(y, 0, height - 1)
    run = tf.searchsorted(tf.cumsum(objects.counts), tf.reshape(position, [-1]), side="right", out_type=tf.int64)
    first_run = tf.gather(tf.cumsum(objects.num_counts, exclusive=True), number)
    return inside & ((tf.reshape(run, tf.shape(position)) - first_run) % 2 == 1)


def boxes_in_view(objects: Objects, view: View) -> tf.Tensor:
    """Tight boxes in pixels of the view, float64 [n, 4]."""
    resized, original = tf.cast(view.resized_hw, tf.float64), tf.cast(objects.size_hw, tf.float64)
    boxes = tf.cast(objects.boxes_yxyx, tf.float64) * tf.tile(resized, [2]) / tf.tile(original, [2])
    top, left, bottom, right = tf.unstack(boxes, axis=1)
    mirrored = tf.stack([top, resized[1] - right, bottom, resized[1] - left], 1)
    return tf.where(view.flipped, mirrored, boxes) - tf.tile(tf.cast(view.origin_yx, tf.float64), [2])


def original_pixels(position: tf.Tensor, axis: int, objects: Objects, view: View) -> tf.Tensor:
    """Pixels of the original that hold points of the view.

    Args:
        position: float64, in pixels of the view along `axis`.
        axis: 0 for y, 1 for x.

    Returns:
        int64, of the same shape; beyond the image where `position` is.
    """
    side = tf.cast(view.resized_hw[axis], tf.float64)
    position += tf.cast(view.origin_yx[axis], tf.float64)
    if axis == 1:
        position = tf.where(view.flipped, side - position, position)
    return tf.cast(tf.floor(position * tf.cast(objects.size_hw[axis], tf.float64) / side), tf.int64)

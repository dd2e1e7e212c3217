"""What a model finds in one image of the pyramid, and which proposals are of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

Tensors = dict[str, tf.Tensor]


class Scale(NamedTuple):
    """One image of the pyramid.

    Attributes:
        features: what the model finds in it.
        windows: int32 [n, 2], the windows of the image that are judged, centre cells (y, x).
        logits: float32 [n], their objectness.
        size_hw: of the image [px].
        pixel_hw: float32 [2], pixels of the original image per pixel of this one.
        origin: the first cell (y, x) of the features, int32 [2], where they are of a part.
    """

    features: Tensors
    windows: tf.Tensor
    logits: tf.Tensor
    size_hw: tuple[tf.Tensor, tf.Tensor]
    pixel_hw: tf.Tensor
    origin: tf.Tensor | int = 0


def of_own_scale(scales: Sequence[Scale], proposals: Tensors, ask: Callable[[Scale, Tensors], tf.Tensor]) -> tf.Tensor:
    """What each scale answers about those proposals that were found in it.

    Args:
        scales: all.
        proposals: scale, int32 [n], window, int32 [n, 2], and mask_logits, float32 [n, m, m].
        ask: from a scale and mask_logits of its proposals and window, there as its features count cells, to an answer
            for each, [c, ...].

    Returns:
        [n, ...], in the order of the proposals.
    """
    answers, numbers = [], []
    for number, scale in enumerate(scales):
        chosen = tf.where(proposals["scale"] == number)[:, 0]
        window, masks = (tf.gather(proposals[name], chosen) for name in ("window", "mask_logits"))
        answers.append(ask(scale, {"window": window - scale.origin, "mask_logits": masks}))
        numbers.append(chosen)
    order = tf.concat(numbers, 0)
    places = tf.scatter_nd(order[:, None], tf.range(tf.size(order)), tf.shape(order, tf.int64))
    return tf.gather(tf.concat(answers, 0), places)


def dense_windows(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Every window of a map of height x width cells, one a cell, row by row.

    Returns:
        int32 [height * width, 2], centre cells (y, x).
    """
    rows, columns = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    return tf.cast(tf.reshape(tf.stack([rows, columns], -1), [-1, 2]), tf.int32)

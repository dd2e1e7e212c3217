"""What the masks of proposals say of themselves: numbers of which a score head tells how good they are."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.masks.paste import logit
from ifcn_tf.proposing.ranking import mask_confidence

Tensors = dict[str, tf.Tensor]
#: Probabilities at which the area of a mask is taken: of a doubtful mask it falls fast.
_LEVELS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)


def mask_statistics(kept: Tensors, size_hw: tf.Tensor, threshold: float) -> tf.Tensor:
    """The statistics of proposals.

    Args:
        kept: logits [n], mask_logits [n, m, m], boxes_yxyx [n, 4] and windows_yxyx [n, 4] [px of the image].
        size_hw: float32 [2], of the image [px].
        threshold: probability from which on a cell belongs to a mask.

    Returns:
        float32 [n, 25].
    """
    columns = [
        kept["logits"][:, None],
        mask_confidence(kept["mask_logits"], threshold)[:, None],
        *_of_probabilities(tf.sigmoid(kept["mask_logits"])),
        _outline(kept["mask_logits"] >= logit(threshold)),
        *_of_places(kept["boxes_yxyx"], kept["windows_yxyx"], size_hw),
    ]
    return tf.concat(columns, 1)


def _of_probabilities(probabilities: tf.Tensor) -> list[tf.Tensor]:
    """Of [n, m, m]: shares of cells above each level, doubt, and means at the centre and along the window's border."""
    shares = [tf.reduce_mean(tf.cast(probabilities >= level, tf.float32), [1, 2]) for level in _LEVELS]
    doubt = tf.reduce_mean(probabilities * (1 - probabilities), [1, 2])
    middle = probabilities.shape[1] // 2
    sides = [probabilities[:, 0], probabilities[:, -1], probabilities[:, :, 0], probabilities[:, :, -1]]
    at_sides = [tf.reduce_mean(side, 1) for side in sides]
    return [tf.stack([*shares, doubt, probabilities[:, middle, middle], *at_sides], 1)]


def _outline(inside: tf.Tensor) -> tf.Tensor:
    """Changes between neighbouring cells of masks [n, m, m], by the root of their area, [n, 1]: large where ragged."""
    down, right = inside[:, 1:] != inside[:, :-1], inside[:, :, 1:] != inside[:, :, :-1]
    changes = [tf.reduce_sum(tf.cast(change, tf.float32), [1, 2]) for change in (down, right)]
    area = tf.reduce_sum(tf.cast(inside, tf.float32), [1, 2])
    return (tf.add_n(changes) * tf.math.rsqrt(tf.maximum(area, 1.0)))[:, None]


def _of_places(boxes: tf.Tensor, windows: tf.Tensor, size_hw: tf.Tensor) -> list[tf.Tensor]:
    """Log sides of boxes [px], log sides of windows [px and of the image], box by window, edges of the image."""
    box_hw, window_hw = boxes[:, 2:] - boxes[:, :2], windows[:, 2:] - windows[:, :2]
    to_edges = tf.concat([boxes[:, :2], size_hw - boxes[:, 2:]], 1) / tf.tile(size_hw, [2])
    return [
        tf.math.log(tf.maximum(box_hw, 1.0)),
        tf.math.log(window_hw[:, :1]),
        tf.math.log(window_hw[:, :1] / tf.sqrt(tf.reduce_prod(size_hw))),
        box_hw / window_hw,
        to_edges,
    ]

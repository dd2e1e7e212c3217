"""The order of the proposals that are left after non-maximum suppression; the paper's is that of objectness alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.masks.paste import PROBABILITY_MARGIN, logit

#: Boxes that are compared with all others at a time.
_BLOCK = 1000
#: What merit counts beside the expected IoU. From .2 to .5 recall is the same; .5 relies on the score head least, which
#: knows little about pictures unlike those that it learnt from.
_MERIT_WEIGHT = 0.5


def merit(logits: tf.Tensor, mask_logits: tf.Tensor, config: ProposerConfig) -> tf.Tensor:
    """What each proposal deserves by itself: its objectness, and as much of its mask's confidence as is asked for.

    Args:
        logits: float32 [n], objectness.
        mask_logits: float32 [n, m, m].
        config: `confidence_weight`, and the threshold of the masks.

    Returns:
        float32 [n].
    """
    if not config.confidence_weight:
        return logits
    return logits + config.confidence_weight * mask_confidence(mask_logits, config.mask_threshold)


def with_expected_iou(expected: tf.Tensor, merits: tf.Tensor) -> tf.Tensor:
    """The merits of proposals, float32 [n], of which a score head expects an IoU, logits float32 [n]."""
    return expected + _MERIT_WEIGHT * merits


def ranked(merits: tf.Tensor, boxes_yxyx: tf.Tensor, penalty: float, most: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The order of proposals, best first: of several masks of one object the first alone recalls it.

    A proposal loses by its overlap with any one of higher merit, as of soft suppression (Bodla et al., ICCV 2017), its
    Gaussian form, the squared IoU counts; but only the highest, so that what lies among many is not lost.

    Args:
        merits: float32 [n].
        boxes_yxyx: float32 [n, 4].
        penalty: what an IoU of 1 costs [merit].
        most: n is at most this.

    Returns:
        The proposals' numbers, int32 [n], and what is left of their merits, float32 [n], both in the new order.
    """
    order = tf.argsort(merits, direction="DESCENDING", stable=True)
    left = tf.gather(merits, order)
    if penalty:
        left -= penalty * tf.square(overlap_with_better(tf.gather(boxes_yxyx, order), most))
    again = tf.argsort(left, direction="DESCENDING", stable=True)
    return tf.gather(order, again), tf.gather(left, again)


def mask_confidence(mask_logits: tf.Tensor, threshold: float) -> tf.Tensor:
    """Logit of the mean probability over the cells of each mask [n, m, m] from a threshold (0..1) on, float32 [n]."""
    inside = tf.cast(mask_logits >= logit(threshold), tf.float32)
    total = tf.reduce_sum(inside * tf.sigmoid(mask_logits), [1, 2])
    mean = tf.math.divide_no_nan(total, tf.reduce_sum(inside, [1, 2]))
    mean = tf.clip_by_value(mean, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return tf.math.log(mean / (1 - mean))


def overlap_with_better(boxes_yxyx: tf.Tensor, most: int) -> tf.Tensor:
    """Highest IoU of each box [n, 4] with one before it, float32 [n], n <= most; 0 for the first."""
    others = tf.pad(boxes_yxyx, [[1, 0], [0, 0]])  # before the first a box without area
    # In blocks, since n * n pairs would need gigabytes for ten thousand boxes.
    return tf.concat([_highest_iou(boxes_yxyx, others, start) for start in range(0, most, _BLOCK)], 0)


def _highest_iou(boxes: tf.Tensor, others: tf.Tensor, start: int) -> tf.Tensor:
    """Of the block of boxes [n, 4] from `start` on, each with those of others [1 + n, 4] that are before it."""
    block, others = boxes[start : start + _BLOCK], others[: start + _BLOCK]
    is_before = tf.range(tf.shape(others)[0]) <= (start + tf.range(tf.shape(block)[0]))[:, None]
    return tf.reduce_max(tf.where(is_before, _pairwise_iou(block, others), 0.0), 1)


def _pairwise_iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union of boxes [n, 4] with others [m, 4], float32 [n, m]; 0 where both have no area."""
    # Slices, since LiteRT takes no empty tensor apart otherwise.
    top, left, bottom, right = (boxes[:, side, None] for side in range(4))
    other_top, other_left, other_bottom, other_right = (others[:, side] for side in range(4))
    height = tf.maximum(tf.minimum(bottom, other_bottom) - tf.maximum(top, other_top), 0.0)
    width = tf.maximum(tf.minimum(right, other_right) - tf.maximum(left, other_left), 0.0)
    area, other_area = (bottom - top) * (right - left), (other_bottom - other_top) * (other_right - other_left)
    return tf.math.divide_no_nan(height * width, area + other_area - height * width)

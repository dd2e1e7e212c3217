"""The order of the proposals that are left after non-maximum suppression; the paper's is that of objectness alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config import ProposerConfig

#: Probabilities are kept this far from 0 and 1, so that their logits stay finite.
_MARGIN = 1e-4


def rescore(
    logits: tf.Tensor, mask_logits: tf.Tensor, boxes_yxyx: tf.Tensor, threshold: float, config: ProposerConfig
) -> tf.Tensor:
    """Objectness logits with the changes that `confidence_weight` and `overlap_penalty` ask for.

    Args:
        logits: float32 [n], objectness, best first.
        mask_logits: float32 [n, m, m].
        boxes_yxyx: float32 [n, 4].
        threshold: logit from which on a cell belongs to the mask.
        config: the weights of both terms.

    Returns:
        float32 [n], in the order of the input.
    """
    if config.confidence_weight:
        logits += config.confidence_weight * mask_confidence(mask_logits, threshold)
    if config.overlap_penalty:
        logits -= config.overlap_penalty * overlap_with_better(boxes_yxyx)
    return logits


def mask_confidence(mask_logits: tf.Tensor, threshold: float) -> tf.Tensor:
    """Logit of the mean probability over the cells of each mask [n, m, m] that are above the threshold, float32 [n]."""
    inside = tf.cast(mask_logits >= threshold, tf.float32)
    total = tf.reduce_sum(inside * tf.sigmoid(mask_logits), [1, 2])
    mean = tf.math.divide_no_nan(total, tf.reduce_sum(inside, [1, 2]))
    mean = tf.clip_by_value(mean, _MARGIN, 1 - _MARGIN)
    return tf.math.log(mean / (1 - mean))


def overlap_with_better(boxes_yxyx: tf.Tensor) -> tf.Tensor:
    """Highest IoU of each box [n, 4] with one before it, float32 [n]; 0 for the first."""
    top_left = tf.maximum(boxes_yxyx[:, None, :2], boxes_yxyx[None, :, :2])
    bottom_right = tf.minimum(boxes_yxyx[:, None, 2:], boxes_yxyx[None, :, 2:])
    shared = tf.reduce_prod(tf.maximum(bottom_right - top_left, 0.0), -1)
    area = tf.reduce_prod(boxes_yxyx[:, 2:] - boxes_yxyx[:, :2], -1)
    iou = tf.math.divide_no_nan(shared, area[:, None] + area[None] - shared)
    before = tf.linalg.band_part(tf.ones_like(iou), -1, 0) - tf.eye(tf.shape(iou)[0])
    # The added zeros keep the maximum over no box defined.
    return tf.reduce_max(tf.pad(iou * before, [[0, 0], [0, 1]]), 1)

"""The order of the proposals that are left after non-maximum suppression; the paper's is that of objectness alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.masks.paste import PROBABILITY_MARGIN, logit

#: Boxes that are compared with all others at a time.
_BLOCK = 1000
#: What `rescore` counts beside the expected IoU; of .3, .5, .8 and 1.2 the one of the highest recall.
_RESCORED_WEIGHT = 0.5


def rescore(logits: tf.Tensor, mask_logits: tf.Tensor, boxes_yxyx: tf.Tensor, config: ProposerConfig) -> tf.Tensor:
    """Objectness logits with the changes that `confidence_weight` and `overlap_penalty` ask for.

    Args:
        logits: float32 [n], objectness, best first.
        mask_logits: float32 [n, m, m].
        boxes_yxyx: float32 [n, 4].
        config: the weights of both terms, and the threshold of the masks.

    Returns:
        float32 [n], in the order of the input.
    """
    if config.confidence_weight:
        logits += config.confidence_weight * mask_confidence(mask_logits, config.mask_threshold)
    if config.overlap_penalty:
        logits -= config.overlap_penalty * overlap_with_better(boxes_yxyx)
    return logits


def by_expected_iou(expected: tf.Tensor, rescored: tf.Tensor) -> tf.Tensor:
    """The order of proposals whose IoU with an object is to be expected, best first.

    Of several good masks of one object all have a high one, though the first recalls it. So the order asks for both: a
    good mask, and what `rescore` says, which puts a proposal behind better ones that it overlaps.

    Args:
        expected: float32 [n], logits of the IoU.
        rescored: float32 [n], of `rescore`.

    Returns:
        int32 [n], the proposals' numbers.
    """
    return tf.argsort(expected + _RESCORED_WEIGHT * rescored, direction="DESCENDING", stable=True)


def mask_confidence(mask_logits: tf.Tensor, threshold: float) -> tf.Tensor:
    """Logit of the mean probability over the cells of each mask [n, m, m] from a threshold (0..1) on, float32 [n]."""
    inside = tf.cast(mask_logits >= logit(threshold), tf.float32)
    total = tf.reduce_sum(inside * tf.sigmoid(mask_logits), [1, 2])
    mean = tf.math.divide_no_nan(total, tf.reduce_sum(inside, [1, 2]))
    mean = tf.clip_by_value(mean, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return tf.math.log(mean / (1 - mean))


def overlap_with_better(boxes_yxyx: tf.Tensor) -> tf.Tensor:
    """Highest IoU of each box [n, 4] with one before it, float32 [n]; 0 for the first."""
    count = tf.shape(boxes_yxyx)[0]
    padded = tf.pad(boxes_yxyx, [[0, _BLOCK], [0, 0]])

    def of_block(start: tf.Tensor) -> tf.Tensor:
        iou = _pairwise_iou(padded[start : start + _BLOCK], boxes_yxyx)
        is_before = tf.range(count) < (start + tf.range(_BLOCK))[:, None]
        return tf.reduce_max(tf.where(is_before, iou, 0.0), 1)

    # In blocks, since n * n pairs would need gigabytes for ten thousand boxes.
    block = tf.TensorSpec([_BLOCK], tf.float32)
    overlaps = tf.map_fn(of_block, tf.range(0, count, _BLOCK), fn_output_signature=block, parallel_iterations=1)
    return tf.reshape(overlaps, [-1])[:count]


def _pairwise_iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union of boxes [n, 4] with others [m, 4], float32 [n, m]; 0 where both have no area."""
    top_left = tf.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = tf.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = tf.reduce_prod(tf.maximum(bottom_right - top_left, 0.0), -1)
    area, other_area = (tf.reduce_prod(b[:, 2:] - b[:, :2], -1) for b in (boxes, others))
    return tf.math.divide_no_nan(shared, area[:, None] + other_area[None] - shared)

"""Which proposals are instances of which classes, and what their masks are (MNC, section 4); operations alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.classifying.sampling import sampled, within
from ifcn_tf.config.classifying import ClassifyingConfig
from ifcn_tf.masks.paste import PROBABILITY_MARGIN, logit

Tensors = dict[str, tf.Tensor]
#: What keeps boxes of several classes apart in one suppression [largest extent].
_APART = 1.001


def select(scores: tf.Tensor, boxes: tf.Tensor, config: ClassifyingConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Suppresses, in each class by itself, what overlaps a better instance of it.

    Args:
        scores: float32 [N, C], probability of each class but the background.
        boxes: float32 [N, C, 4], of each proposal as an instance of each class [px].
        config: thresholds and the largest number.

    Returns:
        The instances, best first: int32 [M], their proposals, and int32 [M], their classes from 0 on.
    """
    classes = tf.shape(scores)[1]
    lowest, highest = tf.reduce_min(tf.pad(boxes, [[0, 1], [0, 0], [0, 0]])), tf.reduce_max(boxes)
    extent = _APART * tf.maximum(highest - lowest, 1.0)  # of no boxes reduce_max is the least number
    shifted = boxes + extent * tf.cast(tf.range(classes), tf.float32)[:, None]
    kept = tf.image.non_max_suppression(
        tf.reshape(shifted, [-1, 4]),
        tf.reshape(scores, [-1]),
        config.num_instances,
        config.nms_iou,
        score_threshold=config.min_score,
    )
    return kept // classes, kept % classes


def voted(
    proposals: Tensors,
    scores: tf.Tensor,
    boxes: tf.Tensor,
    chosen: tuple[tf.Tensor, tf.Tensor],
    size_hw: tf.Tensor,
    config: ClassifyingConfig,
) -> tf.Tensor:
    """The masks of instances, as those of proposals around them vote: their mean by score, where it is in a mask.

    Args:
        proposals: windows_yxyx [N, 4] and mask_logits [N, m, m].
        scores, boxes: as of `select`.
        chosen: what `select` returns.
        size_hw: of the image [px].
        config: which proposals vote, and the threshold.

    Returns:
        float32 [M, m, m], in the windows of the instances' own proposals: logits, 0 at the threshold.
    """
    number, label = chosen
    by_class = tf.gather(tf.transpose(boxes, [1, 0, 2]), label)  # [M, N, 4]
    overlap = iou(by_class, tf.gather_nd(boxes, tf.stack(chosen, 1))[:, None])
    votes = (overlap >= config.voting_iou) | tf.equal(tf.range(tf.shape(scores)[0]), number[:, None])
    pairs = tf.where(votes)
    instance, voter = pairs[:, 0], pairs[:, 1]
    side, windows = proposals["mask_logits"].shape[1], proposals["windows_yxyx"]
    places = tf.gather(windows, voter), tf.gather(tf.gather(windows, number), instance)
    probabilities = tf.gather(tf.sigmoid(proposals["mask_logits"]), voter)
    seen = sampled(probabilities, *places, side, size_hw) * tf.cast(within(*places, side), tf.float32)
    weights = tf.gather_nd(scores, tf.stack([voter, tf.gather(tf.cast(label, tf.int64), instance)], 1))
    total = tf.math.unsorted_segment_sum(weights[:, None, None] * seen, instance, tf.size(number))
    mean = total / tf.math.unsorted_segment_sum(weights, instance, tf.size(number))[:, None, None]
    mean = tf.clip_by_value(mean, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return tf.math.log(mean / (1 - mean)) - logit(config.voting_threshold)


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union of boxes [..., 4] with others [..., 4], broadcast; 0 where both have no area."""
    common = tf.minimum(boxes[..., 2:], others[..., 2:]) - tf.maximum(boxes[..., :2], others[..., :2])
    intersection = tf.reduce_prod(tf.maximum(common, 0.0), -1)
    area, other_area = (tf.reduce_prod(some[..., 2:] - some[..., :2], -1) for some in (boxes, others))
    return tf.math.divide_no_nan(intersection, area + other_area - intersection)

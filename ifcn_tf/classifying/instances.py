"""Which proposals are instances of which classes, and what their masks are (MNC, section 4); operations alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.classifying.sampling import sampled
from ifcn_tf.config.classifying import ClassifyingConfig
from ifcn_tf.masks.paste import PROBABILITY_MARGIN, logit

Tensors = dict[str, tf.Tensor]
#: Cells a side of the grid on which masks vote: about 2 px of a photograph of 640 x 480.
_GRID = 256
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
    """The masks of instances, as those of proposals around them vote: their mean by score.

    All masks are brought to one grid over the image first, so that votes are one matrix product. Beyond its own window
    a mask counts 0.

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
    size = tf.cast(size_hw, tf.float32)
    image = tf.stack([0.0, 0.0, size[0], size[1]])[None]
    count, windows = tf.shape(scores)[0], proposals["windows_yxyx"]
    probabilities, everywhere = tf.sigmoid(proposals["mask_logits"]), tf.tile(image, [count, 1])
    seen = sampled(probabilities, windows, everywhere, _GRID, size_hw, alone=True)
    own_boxes = tf.gather_nd(boxes, tf.stack(chosen, 1))
    overlap = iou(tf.gather(tf.transpose(boxes, [1, 0, 2]), label), own_boxes[:, None])  # [M, N]
    votes = (overlap >= config.voting_iou) | tf.equal(tf.range(count), number[:, None])
    weights = tf.where(votes, tf.gather(tf.transpose(scores), label), 0.0)
    shares = weights / tf.reduce_sum(weights, 1, keepdims=True)
    means = tf.reshape(tf.matmul(shares, tf.reshape(seen, [count, _GRID**2])), [-1, _GRID, _GRID])
    own_windows, places = tf.gather(windows, number), tf.tile(image, [tf.size(number), 1])
    mean = sampled(means, places, own_windows, proposals["mask_logits"].shape[1], size_hw)
    mean = tf.clip_by_value(mean, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return tf.math.log(mean / (1 - mean)) - logit(config.voting_threshold)


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union of boxes [..., 4] with others [..., 4], broadcast; 0 where both have no area."""
    common = tf.minimum(boxes[..., 2:], others[..., 2:]) - tf.maximum(boxes[..., :2], others[..., :2])
    intersection = tf.reduce_prod(tf.maximum(common, 0.0), -1)
    area, other_area = (tf.reduce_prod(some[..., 2:] - some[..., :2], -1) for some in (boxes, others))
    return tf.math.divide_no_nan(intersection, area + other_area - intersection)

"""Window masks looked at in other places: in boxes, and in the windows of other masks; TensorFlow operations alone."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config.network import ROI_CELLS

#: Samples a side of a cell of a region, over which the mask's share is counted.
_FINER = 2
#: Windows are rounded to float32 [cells].
_TOLERANCE = 1e-3


def sampled(
    maps: tf.Tensor, windows: tf.Tensor, boxes: tf.Tensor, side: int, size_hw: tf.Tensor, alone: bool = False
) -> tf.Tensor:
    """Interpolates maps bilinearly at the centres of side x side cells of boxes.

    Beyond the outermost cell centres of a window or of the image the nearest cell holds, as in `masks.paste`.

    Args:
        maps: float32 [N, m, m], of the cells of windows.
        windows: float32 [N, 4], where they lie [px]; they may overhang the image.
        boxes: float32 [N, 4], where to look [px].
        side: cells of a box.
        size_hw: of the image [px], integers [2].
        alone: whether cells whose centres lie in no window are 0 instead.

    Returns:
        float32 [N, side, side].
    """
    cells, weights = tf.cast(tf.shape(maps)[1], tf.float32), []
    for axis in (0, 1):
        begin, end = windows[:, axis, None], windows[:, axis + 2, None]
        cell, size = (end - begin) / cells, tf.cast(size_hw[axis], tf.float32)
        lowest = tf.clip_by_value(tf.floor(-begin / cell + _TOLERANCE), 0.0, cells - 1)
        highest = tf.clip_by_value(tf.math.ceil((size - begin) / cell - _TOLERANCE) - 1, 0.0, cells - 1)
        centres = _centres(boxes, axis, side)
        position = tf.clip_by_value((centres - begin) / cell - 0.5, lowest, highest)
        share = tf.maximum(1 - abs(position[..., None] - tf.range(cells)), 0.0)  # [N, side, m]
        counts = (centres >= begin) & (centres < end) | (not alone)
        weights.append(share * tf.cast(counts, tf.float32)[..., None])
    return tf.matmul(tf.matmul(weights[0], maps), weights[1], transpose_b=True)


def _centres(boxes: tf.Tensor, axis: int, side: int) -> tf.Tensor:
    """Centres of the cells of boxes along an axis, float32 [N, side] px."""
    begin, end = boxes[:, axis, None], boxes[:, axis + 2, None]
    return begin + (end - begin) * (tf.range(side, dtype=tf.float32) + 0.5) / side


def roi_masks(
    mask_logits: tf.Tensor, windows: tf.Tensor, boxes: tf.Tensor, size_hw: tf.Tensor, least: float
) -> tf.Tensor:
    """The share of each of 14 x 14 cells of boxes that masks cover, by 2 x 2 samples of each.

    Args:
        mask_logits: float32 [N, m, m].
        windows, boxes, size_hw: as of `sampled`.
        least: a sample is in the mask from this logit on.

    Returns:
        float32 [N, 14, 14] in 0..1.
    """
    values = sampled(mask_logits, windows, boxes, _FINER * ROI_CELLS, size_hw)
    inside = tf.cast(values >= least, tf.float32)
    return tf.nn.avg_pool2d(inside[..., None], _FINER, _FINER, "VALID")[..., 0]

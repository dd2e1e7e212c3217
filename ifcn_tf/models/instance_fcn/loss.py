"""The loss of training (section 3.2, equation (1)): objectness of windows, and the masks of the positive ones."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config.training import LossConfig
from ifcn_tf.geometry import WindowGrid

Tensors = dict[str, tf.Tensor]


def window_losses(outputs: Tensors, inputs: Tensors, targets: Tensors, config: LossConfig, grid: WindowGrid) -> Tensors:
    """Both terms of equation (1) for the sampled windows, each image normalised by its own counts.

    Cells of a window that lie outside the feature map have no prediction and take part in no term.

    Args:
        outputs: float32 objectness_logits [B, N] and mask_logits [B, N, m, m].
        inputs: image [B, H, W, 3], of which only the size is used, and windows int32 [B, N, 2], centre cells (y, x).
        targets: float32 labels [B, N] (1 positive), weights [B, N] (of objectness; 0 for padding), masks [B, N, m, m]
            (0 or 1).
        config: weight and normalisation of the terms, and what objectness is trained toward.
        grid: the windows' place on the map.

    Returns:
        float32 scalars, means over the batch: "loss", "objectness_loss", "mask_loss" (before their weights).
    """
    sampled = targets["weights"]
    positive = sampled * targets["labels"]
    on_map = _on_map(inputs, grid)
    pixels = positive[..., None, None] * tf.cast(on_map, tf.float32)
    wanted = targets["labels"]
    if config.objectness_target == "iou":
        wanted *= _mask_ious(outputs, targets, on_map)  # of comparisons, through which no gradient passes
    objectness = sampled * _cross_entropy(wanted, outputs["objectness_logits"])
    mask = pixels * _cross_entropy(targets["masks"], outputs["mask_logits"])
    windows = _count(tf.cast(sampled > 0, tf.float32))
    objectness_loss = tf.reduce_mean(tf.reduce_sum(objectness, 1) / windows)
    divisor = _count(tf.reduce_sum(pixels, [2, 3])) if config.normalization == "mean" else windows
    mask_loss = tf.reduce_mean(tf.reduce_sum(mask, [1, 2, 3]) / divisor)
    loss = config.objectness_weight * objectness_loss + config.mask_weight * mask_loss
    return {"loss": loss, "objectness_loss": objectness_loss, "mask_loss": mask_loss}


def _on_map(inputs: Tensors, grid: WindowGrid) -> tf.Tensor:
    """Which cells of the windows have a prediction, bool [B, N, m, m]."""
    height, width = tf.unstack(tf.shape(inputs["image"])[1:3])
    return cells_on_map(inputs["windows"], *grid.map_hw(height, width), grid.window_cells)


def cells_on_map(windows: tf.Tensor, height: tf.Tensor, width: tf.Tensor, cells: int) -> tf.Tensor:
    """Which cells of windows lie on a feature map of height x width cells.

    Args:
        windows: int32 [..., N, 2], centre cells (y, x).
        height, width: size of the map [cells].
        cells: side of a window [cells].

    Returns:
        bool [..., N, cells, cells].
    """
    offsets = tf.range(cells) - cells // 2
    rows, columns = windows[..., 0, None] + offsets, windows[..., 1, None] + offsets
    on_rows, on_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    return on_rows[..., :, None] & on_columns[..., None, :]


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))


def _count(weights: tf.Tensor) -> tf.Tensor:
    """Sum over windows [B, N] -> [B], at least 1, so that no window at all is a loss of 0."""
    return tf.maximum(tf.reduce_sum(weights, 1), 1.0)


def window_statistics(outputs: Tensors, inputs: Tensors, targets: Tensors, grid: WindowGrid) -> Tensors:
    """How the network does on the sampled windows, for people to look at.

    Args:
        outputs, inputs, targets, grid: as for `window_losses`.

    Returns:
        float32 scalars: "positives" and "negatives" [windows an image], "positive_score" and "negative_score" (mean
        objectness 0..1) and "mask_iou" (mean IoU of positive windows with their target, at probability .5, over
        the cells on the map). A mean over no window is 0.
    """
    sampled, labels = targets["weights"], targets["labels"]
    positive, negative = sampled * labels, sampled * (1 - labels)
    scores = tf.sigmoid(outputs["objectness_logits"])
    ious = _mask_ious(outputs, targets, _on_map(inputs, grid))
    batch = tf.cast(tf.shape(labels)[0], tf.float32)
    return {
        "positives": tf.reduce_sum(positive) / batch,
        "negatives": tf.reduce_sum(negative) / batch,
        "positive_score": _mean(scores, positive),
        "negative_score": _mean(scores, negative),
        "mask_iou": _mean(ious, positive),
    }


def _mask_ious(outputs: Tensors, targets: Tensors, on_map: tf.Tensor) -> tf.Tensor:
    """IoU of each window's mask, at probability .5, with its target over the cells on the map, float32 [B, N]."""
    inside, target = (outputs["mask_logits"] >= 0) & on_map, (targets["masks"] > 0) & on_map
    intersection = tf.math.count_nonzero(inside & target, [2, 3], dtype=tf.float32)
    union = tf.math.count_nonzero(inside | target, [2, 3], dtype=tf.float32)
    return intersection / tf.maximum(union, 1.0)


def _mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))

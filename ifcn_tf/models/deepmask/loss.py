"""The loss of DeepMask (equation (1)): masks of positive crops, and scores, batches of which train in turn."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.config.settings import require
from ifcn_tf.config.training import LossConfig

Tensors = dict[str, tf.Tensor]


def crop_losses(outputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
    """Equation (1), of which an example trains one term: the other is 0, here and in the loss.

    Args:
        outputs: float32 objectness_logits [B, N] and mask_logits [B, N, m, m].
        targets: as `data.crops.crop_example` makes them, with a leading axis B. Masks have the resolution of the crop,
            to which the logits are interpolated.
        config: weights of the terms.

    Returns:
        float32 scalars, means over the windows of the batch: "loss", "objectness_loss", "mask_loss" (before their
        weights).

    Raises:
        UserError: settings of the loss that are InstanceFCN's alone.
    """
    require(
        config.normalization == "mean" and config.objectness_target == "label",
        "loss.normalization must be mean and loss.objectness_target label with deepmask, whose loss has no other.",
    )
    trains_masks = targets["trains_masks"][:, None]
    wrong = tf.nn.sigmoid_cross_entropy_with_logits
    masks = tf.reduce_mean(wrong(targets["masks"], _at_size_of(targets["masks"], outputs["mask_logits"])), [2, 3])
    scores = wrong(targets["labels"], outputs["objectness_logits"])
    mask_loss = tf.reduce_mean(trains_masks * _positive(targets) * masks)
    objectness_loss = tf.reduce_mean((1 - trains_masks) * targets["weights"] * scores)
    loss = config.objectness_weight * objectness_loss + config.mask_weight * mask_loss
    return {"loss": loss, "objectness_loss": objectness_loss, "mask_loss": mask_loss}


def crop_statistics(outputs: Tensors, targets: Tensors) -> Tensors:
    """How the network does on crops, for people to look at.

    Args:
        outputs, targets: as for `crop_losses`.

    Returns:
        float32 scalars: "positives" and "negatives" [crops an example], "positive_score" and "negative_score" (their
        objectness 0..1) and "mask_iou" (IoU of positive crops with their target, at probability .5). Each is a mean
        over the batch, to which a crop of the other kind adds 0.
    """
    positive, negative = _positive(targets), targets["weights"] * (1 - targets["labels"])
    scores = tf.sigmoid(outputs["objectness_logits"])
    inside, target = _at_size_of(targets["masks"], outputs["mask_logits"]) >= 0, targets["masks"] > 0
    shared, either = (tf.math.count_nonzero(m, [2, 3], dtype=tf.float32) for m in (inside & target, inside | target))
    return {
        "positives": tf.reduce_mean(positive),
        "negatives": tf.reduce_mean(negative),
        "positive_score": tf.reduce_mean(positive * scores),
        "negative_score": tf.reduce_mean(negative * scores),
        "mask_iou": tf.reduce_mean(positive * shared / tf.maximum(either, 1.0)),
    }


def _at_size_of(masks: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Logits [B, N, m, m] interpolated bilinearly to the resolution of masks [B, N, M, M], as they are when pasted."""
    batch, side = tf.shape(logits)[0], masks.shape[-1]
    flat = tf.reshape(logits, [-1, *logits.shape[-2:], 1])
    return tf.reshape(tf.image.resize(flat, [side, side]), [batch, -1, side, side])


def _positive(targets: Tensors) -> tf.Tensor:
    return targets["weights"] * targets["labels"]

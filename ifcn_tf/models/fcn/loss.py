"""The loss of FCN: the cross entropy of the class of each pixel (section 3)."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.common.classes import VOID
from ifcn_tf.config.settings import require
from ifcn_tf.config.training import LossConfig

Tensors = dict[str, tf.Tensor]


def pixel_losses(outputs: Tensors, targets: Tensors, config: LossConfig) -> Tensors:
    """The mean over an image's pixels, void ones left out; the published code sums them, at a learning rate to match.

    Args:
        outputs: "scores", float32 logits [B, H, W, classes].
        targets: "classes", int32 [B, H, W], from 0 on, or VOID.
        config: of which nothing applies.

    Returns:
        float32 scalars, means over the batch: "loss" and, the same, "pixel_loss". An image without a pixel that counts
        adds 0.

    Raises:
        UserError: settings of the loss that are those of other methods.
    """
    require(
        config.normalization == "mean" and config.objectness_target == "label",
        "loss.normalization must be mean and loss.objectness_target label with fcn, whose loss has no other.",
    )
    counts, classes = _counted(targets)
    wrong = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, outputs["scores"])
    loss = _mean_of_images(wrong, counts)
    return {"loss": loss, "pixel_loss": loss}


def pixel_statistics(outputs: Tensors, targets: Tensors) -> Tensors:
    """How the network does, for people to look at.

    Args:
        outputs, targets: as for `pixel_losses`.

    Returns:
        float32 scalar "pixel_accuracy" (0..1), of the pixels that count, and "object_share", of them those of an object
        by the network's answer: a mean over the images each.
    """
    counts, classes = _counted(targets)
    found = tf.argmax(outputs["scores"], -1, output_type=tf.int32)
    return {
        "pixel_accuracy": _mean_of_images(tf.cast(found == classes, tf.float32), counts),
        "object_share": _mean_of_images(tf.cast(found > 0, tf.float32), counts),
    }


def _counted(targets: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
    """Which pixels count, float32 [B, H, W], and their classes, int32, 0 where they do not."""
    counts = targets["classes"] != VOID
    return tf.cast(counts, tf.float32), tf.where(counts, targets["classes"], 0)


def _mean_of_images(values: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """The mean over images of means over the pixels that count, [B, H, W] each."""
    sums, numbers = tf.reduce_sum(values * counts, [1, 2]), tf.reduce_sum(counts, [1, 2])
    return tf.reduce_mean(sums / tf.maximum(numbers, 1))

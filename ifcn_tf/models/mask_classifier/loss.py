"""The loss of the mask classifier: classes of regions, and how their boxes are refined (Fast R-CNN, section 2.3)."""

from __future__ import annotations

import tensorflow as tf

from ifcn_tf.models.mask_classifier.rois import refinements

Tensors = dict[str, tf.Tensor]


def roi_losses(outputs: Tensors, inputs: Tensors, targets: Tensors) -> Tensors:
    """Means over the sampled regions of an image, of both terms, as in Fast R-CNN.

    Args:
        outputs: float32 class_logits [B, N, classes] and box_refinements [B, N, classes - 1, 4].
        inputs: of which boxes_yxyx [B, N, 4] are used, float32 [px].
        targets: int32 classes [B, N], 0 background; int32 box_classes [B, N] and float32 wanted_boxes [B, N, 4] [px],
            class and box of the object whose box each is to become, 0 of none; float32 weights [B, N], 0 for padding.

    Returns:
        float32 scalars, means over the batch: "loss", the sum of "class_loss" and "box_loss". An image without a region
        adds 0.
    """
    wrong = tf.nn.sparse_softmax_cross_entropy_with_logits(targets["classes"], outputs["class_logits"])
    class_loss = _mean_of_images(wrong, targets["weights"])
    number = tf.maximum(targets["box_classes"] - 1, 0)
    said = tf.gather(outputs["box_refinements"], number, batch_dims=2)
    distance = tf.reduce_sum(_smooth(said - refinements(inputs["boxes_yxyx"], targets["wanted_boxes"])), -1)
    is_box = tf.cast(targets["box_classes"] > 0, tf.float32)
    box_loss = _mean_of_images(is_box * distance, targets["weights"])
    return {"loss": class_loss + box_loss, "class_loss": class_loss, "box_loss": box_loss}


def roi_statistics(outputs: Tensors, targets: Tensors) -> Tensors:
    """How the network does, for people to look at.

    Args:
        outputs, targets: as for `roi_losses`.

    Returns:
        float32 scalars: "foreground" [regions an image], "class_accuracy" (0..1) of all regions, and
        "foreground_accuracy" of those that are no background; a mean over no region is 0.
    """
    found = tf.argmax(outputs["class_logits"], -1, output_type=tf.int32)
    right = tf.cast(found == targets["classes"], tf.float32)
    foreground = targets["weights"] * tf.cast(targets["classes"] > 0, tf.float32)
    return {
        "foreground": tf.reduce_mean(tf.reduce_sum(foreground, 1)),
        "class_accuracy": _mean_of_images(right, targets["weights"]),
        "foreground_accuracy": _mean_of_images(right, foreground),
    }


def _smooth(difference: tf.Tensor) -> tf.Tensor:
    """Half the square up to 1, and linear beyond (Fast R-CNN, equation 3)."""
    size = abs(difference)
    return tf.where(size < 1, tf.square(difference) / 2, size - 0.5)


def _mean_of_images(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The mean of values [B, N] by their weights, of each image, then over the batch; 0 without any."""
    return tf.reduce_mean(tf.math.divide_no_nan(tf.reduce_sum(values * weights, 1), tf.reduce_sum(weights, 1)))

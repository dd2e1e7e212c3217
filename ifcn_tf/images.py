"""From encoded bytes to the network's input: the same operations in training and at inference."""

from __future__ import annotations

import tensorflow as tf

#: Mean of ImageNet's training images that VGG-16 was trained with (Caffe), in BGR order, of 0..255.
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)


def preprocess(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes an image bilinearly and brings it into VGG-16's value range.

    Args:
        image: uint8 [H, W, 3], RGB.
        height, width: wanted size [px], integers.

    Returns:
        float32 [height, width, 3], BGR minus IMAGENET_MEAN_BGR; no division.
    """
    resized = tf.image.resize(image, tf.stack([height, width]))
    return resized[..., ::-1] - tf.constant(IMAGENET_MEAN_BGR)

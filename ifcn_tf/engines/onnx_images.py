"""`images.tensors.preprocess` in NumPy: the same resizing and value range for runtimes without TensorFlow."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ifcn_tf.images.files import IMAGENET_MEAN_BGR


def preprocess(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image bilinearly (averaging where it shrinks) and brings it into VGG-16's value range.

    Args:
        image: uint8 [H, W, 3], RGB.
        height, width: wanted size [px].

    Returns:
        float32 [height, width, 3], BGR minus IMAGENET_MEAN_BGR.
    """
    return resize(image[..., ::-1], height, width) - np.array(IMAGENET_MEAN_BGR, np.float32)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """What `tf.image.resize(image, [height, width], antialias=True)` gives, up to rounding.

    Args:
        image: [H, W, C] of any number type.
        height, width: wanted size [px].

    Returns:
        float32 [height, width, C].
    """
    rows = _along_first_axis(image.astype(np.float32), height)
    return _along_first_axis(rows.transpose(1, 0, 2), width).transpose(1, 0, 2)


def _along_first_axis(image: np.ndarray, size: int) -> np.ndarray:
    weights = _triangle_weights(len(image), size)
    return (weights @ image.reshape(len(image), -1)).reshape(size, *image.shape[1:])


def _triangle_weights(old: int, new: int) -> sparse.csr_array:
    """Weight of each old pixel in each new one, float32 [new, old], rows of sum 1.

    A new pixel is a weighted mean around its centre, with weights that fall linearly to 0 over one pixel of the coarser
    of the two grids.
    """
    inverse_scale = 1 / (np.float32(new) / np.float32(old))
    radius = max(inverse_scale, np.float32(1))
    centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * inverse_scale  # [old px]
    first = np.maximum(np.ceil(centres - radius - np.float32(0.5)), 0).astype(np.int64)
    pixels = first[:, None] + np.arange(2 * int(np.ceil(radius)) + 1)
    distances = abs(pixels.astype(np.float32) + np.float32(0.5) - centres[:, None])
    weights = np.where(pixels < old, np.maximum(1 - distances / radius, 0), 0).astype(np.float32)
    weights /= weights.sum(1, keepdims=True)
    row_starts = np.arange(new + 1) * pixels.shape[1]
    return sparse.csr_array((weights.ravel(), np.minimum(pixels, old - 1).ravel(), row_starts), shape=(new, old))

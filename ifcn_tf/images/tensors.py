"""Image files as tensors, and resizing: the same in training and at inference."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.images import files
from ifcn_tf.images.files import GRAPH_FORMATS, MAX_PIXELS, damaged, open_image, upright

#: A function like `resize`.
Resize = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def resize(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes an image bilinearly, averaging where it shrinks.

    Args:
        image: uint8 [H, W, 3], RGB.
        height, width: wanted size [px], integers.

    Returns:
        float32 [height, width, 3], in 0..255.
    """
    size = tf.cast(tf.stack([height, width]), tf.int32)
    # Where nothing is averaged, plain interpolation gives the same in half the time.
    enlarged, averaged = (functools.partial(tf.image.resize, image, size, antialias=flag) for flag in (False, True))
    return tf.cond(tf.reduce_all(size >= tf.shape(image)[:2]), enlarged, averaged)


def resize_by_products(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """What `resize` gives, up to rounding, of operators that every runtime has.

    Where an axis shrinks, matrix products average; then plain interpolation enlarges the others.
    """
    old_hw, size = tf.shape(image)[:2], tf.cast(tf.stack([height, width]), tf.int32)
    planes = tf.transpose(tf.cast(image, tf.float32), [2, 0, 1])
    averaged = functools.partial(_averaged, planes, old_hw, tf.minimum(old_hw, size))
    shrunk = tf.cond(tf.reduce_all(size >= old_hw), lambda: planes, averaged)
    return tf.image.resize(tf.transpose(shrunk, [1, 2, 0]), size)


def _averaged(planes: tf.Tensor, old_hw: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Planes [C, H, W], of size `old_hw`, averaged to a size that is no larger along any axis."""
    rows, columns = (_triangle_weights(old_hw[axis], size[axis]) for axis in (0, 1))
    return tf.matmul(tf.matmul(rows, planes), columns, transpose_b=True)


def _triangle_weights(old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    """Weight of each old pixel in each new one, float32 [new, old], rows of sum 1.

    A new pixel is a weighted mean around its centre, with weights that fall linearly to 0 over one pixel of the coarser
    of the two grids.
    """
    old_px = tf.cast(old, tf.float32) / tf.cast(new, tf.float32)  # old pixels in a new one
    centres = (tf.cast(tf.range(new), tf.float32) + 0.5) * old_px
    distances = abs(tf.cast(tf.range(old), tf.float32) + 0.5 - centres[:, None])
    weights = tf.maximum(1 - distances / tf.maximum(old_px, 1.0), 0.0)
    return weights / tf.reduce_sum(weights, 1, keepdims=True)


def resized_part(image: tf.Tensor, size_hw: tf.Tensor, first_yx: tf.Tensor, part_hw: tf.Tensor) -> tf.Tensor:
    """A part of what `resize` gives, which alone is computed.

    Args:
        image: uint8 [H, W, 3], RGB.
        size_hw: size of the resized image [px], integers [2].
        first_yx, part_hw: where the part begins in it, and its size [px], integers [2].

    Returns:
        float32 [part height, part width, 3], in 0..255.
    """
    scale = tf.cast(size_hw, tf.float32) / tf.cast(tf.shape(image)[:2], tf.float32)
    return tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=tf.cast(part_hw, tf.int32),
        scale=scale,
        translation=-tf.cast(first_yx, tf.float32),
        kernel_type="triangle",
        antialias=True,
    )[0]


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG or PNG, a string, as it is stored: uint8 [H, W, 3], RGB (also a BMP or GIF of older records).

    JPEGs by the accurate transform, which gives Pillow's pixels; TensorFlow's default is up to 20 levels off.
    """
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads a JPEG, PNG, GIF, BMP, WebP or TIFF (the first frame or page), upright as its EXIF orientation says.

    Gray, palette, CMYK and 16-bit images become 8-bit RGB; an alpha channel is dropped. Where a graph would decode the
    file, TensorFlow does, else Pillow.

    Args:
        path: the file.
        max_pixels: larger images are refused, before they are decoded.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        BadImageError: the file cannot be read, is no such image, is damaged or too large.
    """
    file = open_image(path, max_pixels)
    if file.format not in GRAPH_FORMATS:
        return files.decode(file, path)
    try:
        image = decode(tf.constant(file.encoded)).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise damaged(path) from error
    return upright(image, file.orientation)

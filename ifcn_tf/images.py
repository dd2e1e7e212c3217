"""From image files to the network's input; resizing and value range are the same in training and at inference."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from ifcn_tf.files import BadImageError

#: Mean of ImageNet's training images that VGG-16 was trained with (Caffe), in BGR order, of 0..255.
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
#: Images of more pixels are refused unless the caller says otherwise: a small file can hold a huge image.
MAX_PIXELS = 100_000_000
#: What TensorFlow decodes, by Pillow's names.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_EXIF_ORIENTATION = 0x0112


def preprocess(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes an image bilinearly (averaging where it shrinks) and brings it into VGG-16's value range.

    Args:
        image: uint8 [H, W, 3], RGB.
        height, width: wanted size [px], integers.

    Returns:
        float32 [height, width, 3], BGR minus IMAGENET_MEAN_BGR; no division.
    """
    # tf.reverse, because a slice of step -1 takes longer than the resizing.
    resized = tf.image.resize(tf.reverse(image, [2]), tf.cast(tf.stack([height, width]), tf.int32), antialias=True)
    return resized - tf.constant(IMAGENET_MEAN_BGR)


def normalize(image: tf.Tensor) -> tf.Tensor:
    """Brings images into VGG-16's value range as they are, without resizing: uint8 [..., 3], RGB -> float32, BGR."""
    return tf.cast(tf.reverse(image, [-1]), tf.float32) - tf.constant(IMAGENET_MEAN_BGR)


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads a JPEG, PNG, BMP or (first frame of a) GIF, upright as its EXIF orientation says.

    Gray, palette, CMYK and 16-bit images become 8-bit RGB; an alpha channel is dropped.

    Args:
        path: the file.
        max_pixels: larger images are refused, before they are decoded.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        BadImageError: the file cannot be read, is no such image, is damaged or too large.
    """
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise BadImageError(f"cannot read {path}: {error.strerror or error}.") from error
    orientation = _check_header(encoded, path, max_pixels)
    try:
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise BadImageError(f"{path} is damaged or cut off: it cannot be decoded.") from error
    return upright(image, orientation)


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors an image [H, W, 3] such that an EXIF orientation (1..8) becomes 1; others leave it as it is."""
    if orientation in (5, 6, 7, 8):  # stored with rows and columns exchanged
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _check_header(encoded: bytes, path: Path, max_pixels: int) -> int:
    """Refuses what is no image, or too large a one, and returns the EXIF orientation."""
    if not encoded:
        raise BadImageError(f"{path} is empty.")
    try:
        with _any_size():
            header = Image.open(io.BytesIO(encoded), formats=_FORMATS)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on broken headers
        raise BadImageError(f"{path} is not a readable JPEG, PNG, GIF or BMP image.") from error
    if header.format == "BMP" and header.mode != "RGB":
        raise BadImageError(f"{path} is a BMP of another kind than 24-bit colour; save it as PNG.")
    width, height = header.size
    if width * height > max_pixels:
        raise BadImageError(
            f"{path} has {width} x {height} pixels, over the limit of {max_pixels}; raise it (--max_pixels)."
        )
    return _orientation(header)


def _orientation(header: Image.Image) -> int:
    exif = Image.Exif()
    with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
        # Pillow warns or raises in many ways; a photograph with broken EXIF is still one.
        exif.load(header.info.get("exif", b""))
        return exif.get(_EXIF_ORIENTATION, 1)
    return 1


@contextlib.contextmanager
def _any_size() -> Iterator[None]:
    """Lets Pillow open a header whatever size it states: the limit is ours, and Pillow decodes no pixel."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit

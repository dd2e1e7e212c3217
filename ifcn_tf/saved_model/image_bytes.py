"""Encoded images inside a graph: what `images.tensors.read_image` does with a file, in TensorFlow operations alone.

A server loads these graphs, so no Python runs in them, and an image that cannot be used is an answer, not an error: it
must not keep the others of its batch from theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.images.tensors import decode

#: Markers or chunks before the pixels; real files have some dozens. Bounds what a malicious header can cost.
_MAX_SEGMENTS = 10_000
#: Zeros behind the data, so that reading a field at its end stays within it.
_PADDING = 32
_EXIF_ORIENTATION = 0x0112
#: EXIF's types of whole numbers, by their bytes, which stand first in their field. A negative number is no orientation.
_INTEGER_TYPES = {1: (6,), 2: (3, 8), 4: (4, 9, 13)}
#: JPEG's markers without a length (also 0, a stuffed byte), and its frame headers, which state the size.
_STANDALONE = (0x00, 0x01, *range(0xD0, 0xD9))
_FRAMES = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC))


class Header(NamedTuple):
    """What an encoded image says of itself before its pixels."""

    size_hw: tf.Tensor
    """int64 [2], as stored; zeros where no size was found."""
    orientation: tf.Tensor
    """int64, EXIF's 1..8 (or what else the file says); 1 where it says none."""


class _Segment(NamedTuple):
    """What one segment holds; numbers are int64, 0 for nothing."""

    next: tf.Tensor  # where the next one begins; beyond the end after the last one of interest
    height: tf.Tensor
    width: tf.Tensor
    exif_begin: tf.Tensor
    exif_end: tf.Tensor


def decode_upright(encoded: tf.Tensor, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a JPEG or PNG, upright as its EXIF orientation says.

    Args:
        encoded: string, the content of a file.
        max_pixels: larger images are refused, before they are decoded.

    Returns:
        The image, uint8 [H, W, 3], RGB, as `tensors.read_image` gives it, and a string: empty, or why there is no image
        (without a subject, such as "is empty."). Then the image is [0, 0, 3].
    """
    with tf.device("CPU:0"):
        header = read_header(encoded)
        reason = _refusal(encoded, header, max_pixels)
        usable = tf.equal(reason, "")
        image = tf.cond(usable, lambda: _decoded(encoded), _no_image)
        damaged = usable & tf.equal(tf.size(image), 0)
        reason = tf.where(damaged, "is damaged or cut off: it cannot be decoded.", reason)
        return upright(image, header.orientation), reason


def read_header(encoded: tf.Tensor) -> Header:
    """Size and orientation of a JPEG or PNG (string), from its segments before the pixels."""
    data = tf.concat([tf.io.decode_raw(encoded, tf.uint8), tf.zeros([_PADDING], tf.uint8)], 0)
    values = tf.cond(_is_png(encoded), lambda: _walk(data, 8, _png_segment), lambda: _walk(data, 2, _jpeg_segment))
    height, width, begin, end = tf.unstack(values)
    return Header(tf.stack([height, width]), _orientation(data[begin:end]))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """`images.files.upright` as a graph: image [H, W, 3], orientation int64."""
    changes: tuple[tuple[Callable[[tf.Tensor], tf.Tensor], tuple[int, ...]], ...] = (
        (functools.partial(tf.transpose, perm=[1, 0, 2]), (5, 6, 7, 8)),
        (functools.partial(tf.reverse, axis=[0]), (3, 4, 7, 8)),
        (functools.partial(tf.reverse, axis=[1]), (2, 3, 6, 7)),
    )
    for change, orientations in changes:
        wanted = _is_one_of(orientation, orientations)
        image = tf.cond(wanted, functools.partial(change, image), functools.partial(tf.identity, image))
    return image


def _refusal(encoded: tf.Tensor, header: Header, max_pixels: int) -> tf.Tensor:
    """Why an image is not to be decoded; empty where nothing is against it."""
    height, width = tf.unstack(tf.strings.as_string(header.size_hw))
    too_large = tf.strings.join(["has ", width, " x ", height, f" pixels, over the limit of {max_pixels}."])
    reason = tf.where(tf.reduce_prod(tf.cast(header.size_hw, tf.float64)) > max_pixels, too_large, "")
    reason = tf.where(tf.reduce_any(header.size_hw <= 0), "is damaged or cut off: its header states no size.", reason)
    reason = tf.where(_is_png(encoded) | _is_jpeg(encoded), reason, "is no JPEG or PNG image.")
    return tf.where(tf.strings.length(encoded) > 0, reason, "is empty.")


def _is_png(encoded: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, 8), b"\x89PNG\r\n\x1a\n")


def _is_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, 3), b"\xff\xd8\xff")


def _decoded(encoded: tf.Tensor) -> tf.Tensor:
    """uint8 [H, W, 3], or [0, 0, 3] of a damaged image: in a dataset alone can a graph go on after an error."""
    images = tf.data.Dataset.from_tensors(encoded).map(decode).ignore_errors()
    return tf.ensure_shape(images.reduce(_no_image(), lambda _, image: image), [None, None, 3])


def _no_image() -> tf.Tensor:
    return tf.zeros([0, 0, 3], tf.uint8)


def _walk(data: tf.Tensor, begin: int, segment_at: Callable[[tf.Tensor, tf.Tensor], _Segment]) -> tf.Tensor:
    """Goes from segment to segment; int64 [4]: the first height, width, begin and end of EXIF, 0 where none is."""

    def step(position: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        segment = segment_at(data, position)
        return segment.next, tf.where(values > 0, values, tf.stack(segment[1:]))

    start = (tf.constant(begin, tf.int64), tf.zeros([4], tf.int64))
    return tf.while_loop(lambda at, _: at < _length(data), step, start, maximum_iterations=_MAX_SEGMENTS)[1]


def _jpeg_segment(data: tf.Tensor, at: tf.Tensor) -> _Segment:
    marker, length = tf.cast(data[at + 1], tf.int64), _number(_field(data, at + 2, 2))
    is_marker = tf.equal(data[at], 0xFF) & (marker < 0xFF)  # else garbage or a fill byte
    alone = _is_one_of(marker, _STANDALONE)
    after = at + tf.where(is_marker, tf.where(alone, tf.constant(2, tf.int64), 2 + length), 1)
    last = is_marker & _is_one_of(marker, (0xD9, 0xDA))  # end of image, start of scan
    frame = tf.cast(is_marker & _is_one_of(marker, _FRAMES), tf.int64)
    exif = tf.cast(is_marker & tf.equal(marker, 0xE1) & _holds(_field(data, at + 4, 6), b"Exif\0\0"), tf.int64)
    height, width = frame * _number(_field(data, at + 5, 2)), frame * _number(_field(data, at + 7, 2))
    return _Segment(tf.where(last, _length(data), after), height, width, exif * (at + 10), exif * after)


def _png_segment(data: tf.Tensor, at: tf.Tensor) -> _Segment:
    length, kind = _number(_field(data, at, 4)), _field(data, at + 4, 4)
    after, last = at + 12 + length, _holds(kind, b"IDAT")
    header, exif = (tf.cast(_holds(kind, name), tf.int64) for name in (b"IHDR", b"eXIf"))
    width, height = header * _number(_field(data, at + 8, 4)), header * _number(_field(data, at + 12, 4))
    return _Segment(tf.where(last, _length(data), after), height, width, exif * (at + 8), exif * (at + 8 + length))


def _orientation(exif: tf.Tensor) -> tf.Tensor:
    """The orientation that a TIFF structure (uint8 [n]) states in its first directory; 1 if none."""
    length = tf.size(exif, tf.int64)
    data = tf.concat([exif, tf.zeros([_PADDING], tf.uint8)], 0)
    little = _holds(_field(data, 0, 4), b"II*\0")
    valid = little | _holds(_field(data, 0, 4), b"MM\0*")
    directory = tf.minimum(_number(_field(data, 4, 4), little), length)
    count = tf.minimum(_number(_field(data, directory, 2), little), tf.maximum(length - directory - 2, 0) // 12)
    entries = tf.reshape(data[directory + 2 : directory + 2 + 12 * count], [-1, 12])
    tag, kind, values = (_number(entries[:, begin:end], little) for begin, end in ((0, 2), (2, 4), (4, 8)))
    states = valid & tf.equal(tag, _EXIF_ORIENTATION) & tf.equal(values, 1)
    number = -tf.ones_like(tag)  # of a value of another type
    for size, types in _INTEGER_TYPES.items():
        of_size = functools.reduce(tf.logical_or, (tf.equal(kind, one) for one in types))
        number = tf.where(of_size, _number(entries[:, 8 : 8 + size], little), number)
    return tf.concat([tf.ones([1], tf.int64), tf.boolean_mask(number, states & (number >= 0))], 0)[-1]


def _field(data: tf.Tensor, begin: tf.Tensor | int, size: int) -> tf.Tensor:
    """uint8 [size]; the padding must reach as far."""
    return tf.slice(data, tf.cast([begin], tf.int64), [size])


def _number(octets: tf.Tensor, little: tf.Tensor | bool = False) -> tf.Tensor:
    """Unsigned whole numbers from uint8 [..., n], int64 [...]; big endian unless `little`."""
    powers = [256**i for i in range(octets.shape[-1])]
    in_order = tf.where(little, tf.constant(powers, tf.int64), tf.constant(powers[::-1], tf.int64))
    return tf.reduce_sum(tf.cast(octets, tf.int64) * in_order, -1)


def _holds(octets: tf.Tensor, expected: bytes) -> tf.Tensor:
    return tf.reduce_all(tf.equal(octets, tf.constant(list(expected), tf.uint8)))


def _is_one_of(value: tf.Tensor, members: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, tf.constant(members, tf.int64)))


def _length(data: tf.Tensor) -> tf.Tensor:
    """Bytes of padded data without its padding."""
    return tf.size(data, tf.int64) - _PADDING

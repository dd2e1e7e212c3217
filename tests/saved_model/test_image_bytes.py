"""Encoded images in a graph: the same pixels as `images.tensors.read_image`, or a reason, and never an error."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ifcn_tf.common.files import BadImageError
from ifcn_tf.images.tensors import read_image
from ifcn_tf.saved_model.image_bytes import decode_upright
from tests.images.test_images import bomb
from tests.support.exported import EXIF_TYPES, encoded, exif, file_of, scene

LIMIT = 3000
GRAPH = tf.function(lambda content: decode_upright(content, LIMIT), [tf.TensorSpec([], tf.string)])


def decoded(content):
    image, reason = GRAPH(content)
    return image.numpy(), reason.numpy().decode()


def read(content):
    with file_of(content, ".image") as path:
        return read_image(path, LIMIT)


PHOTOGRAPH = scene(3, (40, 60))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(10))
def test_orientations(kind, order, orientation):
    content = encoded(PHOTOGRAPH, kind, exif=exif(orientation, order))
    image, reason = decoded(content)
    assert reason == ""
    assert image.shape == ((60, 40, 3) if 5 <= orientation <= 8 else (40, 60, 3))
    np.testing.assert_array_equal(image, read(content))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", EXIF_TYPES)
def test_types_of_orientations(kind, order):
    """Whole numbers count, whatever their size and sign; single bytes and fractions do not."""
    content = encoded(PHOTOGRAPH, exif=exif(6, order, kind))
    image = decoded(content)[0]
    assert image.shape == ((40, 60, 3) if kind in (1, 7, 11) else (60, 40, 3))
    np.testing.assert_array_equal(image, read(content))


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_kinds_of_jpeg(mode, progressive):
    content = encoded(Image.fromarray(PHOTOGRAPH).convert(mode), progressive=progressive)
    np.testing.assert_array_equal(decoded(content)[0], read(content))


def test_kinds_of_png():
    pictures = [Image.fromarray(PHOTOGRAPH).convert(mode) for mode in ("L", "P", "RGBA", "1")]
    pictures.append(Image.fromarray(PHOTOGRAPH[..., 0].astype(np.uint16) * 256 + 255))
    for picture in pictures:
        content = encoded(picture, "PNG")
        np.testing.assert_array_equal(decoded(content)[0], read(content))


def test_orientation_after_other_segments_and_fill_bytes():
    """A comment and a JFIF header before, fill bytes between; a second EXIF and other APP1 data are passed over."""
    content = encoded(PHOTOGRAPH)
    comment, other = b"\xff\xfe\0\x06abcd", b"\xff\xe1\0\x0ahttp://x"
    for first, second, expected in ((6, 3, (60, 40, 3)), (1, 6, (40, 60, 3))):
        segments = [
            b"\xff\xff\xff\xe1" + struct.pack(">H", len(e) + 2) + e for e in (exif(first, "<"), exif(second, ">"))
        ]
        changed = content[:2] + comment + other + b"".join(segments) + content[2:]
        assert decoded(changed)[0].shape == expected


def test_the_limit_holds_before_decoding(tmp_path):
    whole = encoded(scene(0, (50, 60)), "PNG")
    assert decoded(whole)[0].shape == (50, 60, 3)
    assert decoded(encoded(scene(0, (50, 61)), "PNG"))[1] == "has 61 x 50 pixels, over the limit of 3000."
    assert decoded(encoded(scene(0, (61, 50))))[1] == "has 50 x 61 pixels, over the limit of 3000."
    huge = bomb(tmp_path / "bomb.png", 2**31 - 1, 2**31 - 1).read_bytes()
    assert decoded(huge)[1] == "has 2147483647 x 2147483647 pixels, over the limit of 3000."
    # A JPEG whose frame header says 65535 x 65535, which would take 12 GiB.
    content = bytearray(encoded(scene(0, (40, 60))))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = b"\xff" * 4
    assert decoded(bytes(content))[1] == "has 65535 x 65535 pixels, over the limit of 3000."


def test_what_is_no_image():
    jpeg, png = encoded(PHOTOGRAPH), encoded(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8), "PNG")
    for content, reason in (
        (b"", "is empty."),
        (b"this is no photograph", "is no JPEG or PNG image."),
        (encoded(PHOTOGRAPH, "GIF"), "is no JPEG or PNG image."),
        (encoded(PHOTOGRAPH, "BMP"), "is no JPEG or PNG image."),
        (jpeg[:30], "is damaged or cut off: its header states no size."),
        (png[:14], "is damaged or cut off: its header states no size."),
        (jpeg[: len(jpeg) // 2], "is damaged or cut off: it cannot be decoded."),
        (png[:2000], "is damaged or cut off: it cannot be decoded."),
    ):
        image, found = decoded(content)
        assert (found, image.shape) == (reason, (0, 0, 3))


@given(data=st.data(), kind=st.sampled_from(["JPEG", "PNG"]))
@settings(max_examples=150, deadline=None)
def test_damaged_images_are_refused_or_read_alike(data, kind):
    """Changed, cut and repeated bytes, mostly in the header: no error, and never other pixels than `read_image`'s."""
    content = bytearray(encoded(PHOTOGRAPH, kind, exif=exif(6, "<")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content) - 1, 250)))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    content = bytes(content[: data.draw(st.sampled_from([None, 20, 100, 300, -1]))])
    image, reason = decoded(content)
    assert (image.size == 0) == bool(reason)
    try:
        expected = read(content)
    except BadImageError:
        return
    if not reason:
        np.testing.assert_array_equal(image, expected)

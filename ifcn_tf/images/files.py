"""Image files without TensorFlow: which are refused, which side is up, and their pixels for light clients."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ifcn_tf.common.files import BadImageError, UserError

#: Images of more pixels are refused unless the caller says otherwise: a small file can hold a huge image.
MAX_PIXELS = 100_000_000
#: What TensorFlow decodes, by Pillow's names.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_EXIF_ORIENTATION = 0x0112
#: Pillow's limit and Python's warning filters belong to the process, so one thread at a time changes them.
_ONE_AT_A_TIME = threading.Lock()


class ImageFile(NamedTuple):
    """An image file whose header was read and not refused."""

    encoded: bytes
    format: str  # JPEG, PNG, GIF or BMP
    orientation: int  # EXIF's, 1..8


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Reads the file of a JPEG, PNG, BMP or GIF, without decoding its pixels.

    Args:
        path: the file.
        max_pixels: larger images are refused.

    Raises:
        BadImageError: the file cannot be read, is no such image or too large.
    """
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise BadImageError(f"cannot read {path}: {error.strerror or error}.") from error
    if not encoded:
        raise BadImageError(f"{path} is empty.")
    return _checked_header(encoded, path, max_pixels)


def decode(file: ImageFile, path: Path) -> np.ndarray:
    """Decodes an image with Pillow, as `images.read_image` does with TensorFlow: uint8 [H, W, 3], RGB, upright.

    Raises:
        BadImageError: the file, called `path`, is damaged.
    """
    try:
        picture = _header(file.encoded)
        if picture.mode.startswith("I"):  # 16-bit gray, whose upper byte TensorFlow takes
            gray = (np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)
            picture = Image.fromarray(gray)
        return upright(np.asarray(picture.convert("RGB")), file.orientation)
    except (OSError, SyntaxError, ValueError) as error:
        raise damaged(path) from error


def damaged(path: Path) -> BadImageError:
    """The error of an image file that has a header but not all of its pixels."""
    return BadImageError(f"{path} is damaged or cut off: it cannot be decoded.")


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors an image [H, W, 3] such that an EXIF orientation (1..8) becomes 1; others leave it as it is."""
    if orientation in (5, 6, 7, 8):  # stored with rows and columns exchanged
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def checked_pixels(image: np.ndarray) -> np.ndarray:
    """The image itself; raises UserError unless it is uint8 [H, W, 3] with at least one pixel."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(f"an image must be uint8 [H, W, 3] in RGB order, not {image.dtype} {list(image.shape)}.")
    return image


def _checked_header(encoded: bytes, path: Path, max_pixels: int) -> ImageFile:
    try:
        header = _header(encoded)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on broken headers
        raise BadImageError(f"{path} is not a readable JPEG, PNG, GIF or BMP image.") from error
    if header.format == "BMP" and header.mode != "RGB":
        raise BadImageError(f"{path} is a BMP of another kind than 24-bit colour; save it as PNG.")
    width, height = header.size
    if width * height > max_pixels:
        raise BadImageError(
            f"{path} has {width} x {height} pixels, over the limit of {max_pixels}; raise it (--max_pixels)."
        )
    return ImageFile(encoded, str(header.format), _orientation(header))


def _header(encoded: bytes) -> Image.Image:
    """Opens an image whatever size it states: the limit is ours, and Pillow decodes no pixel yet."""
    with _ONE_AT_A_TIME:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(encoded), formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(header: Image.Image) -> int:
    exif = Image.Exif()
    with _ONE_AT_A_TIME, contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
        # Pillow warns or raises in many ways; a photograph with broken EXIF is still one.
        exif.load(header.info.get("exif", b""))
        stated = exif.get(_EXIF_ORIENTATION)
        return stated if isinstance(stated, int) else 1
    return 1

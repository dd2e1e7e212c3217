"""Image files without TensorFlow: which are refused, which side is up, and their pixels for light clients."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ifcn_tf.common.files import BadImageError

#: Images of more pixels are refused unless the caller says otherwise: a small file can hold a huge image.
MAX_PIXELS = 100_000_000
#: Endings of what graphs decode (GRAPH_FORMATS), of what else can be read, and of images that cannot.
_GRAPH_SUFFIXES, _MORE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png"), (".gif", ".bmp", ".webp", ".tif", ".tiff")
SUFFIXES = (*_GRAPH_SUFFIXES, *_MORE_SUFFIXES)
OTHER_SUFFIXES = (
    *(".avif", ".heic", ".heif", ".hif", ".jxl", ".jp2", ".j2k", ".svg", ".eps", ".ico", ".psd", ".xcf"),
    *(".tga", ".pcx", ".pbm", ".pgm", ".ppm", ".pnm", ".exr", ".hdr", ".raw", ".dng", ".arw", ".cr2", ".cr3", ".nef"),
    *(".orf", ".raf", ".rw2"),
)
#: What is read, by Pillow's names.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
#: What graphs decode, those of servers and of training: for them all else is encoded as one of these.
GRAPH_FORMATS = ("JPEG", "PNG")
_EXIF_ORIENTATION = 0x0112
#: What Pillow raises on broken files.
_BROKEN = (OSError, SyntaxError, ValueError)
#: Pillow's limit and Python's warning filters belong to the process, so one thread at a time changes them.
_ONE_AT_A_TIME = threading.Lock()


class ImageFile(NamedTuple):
    """An image file whose header was read and not refused."""

    encoded: bytes
    format: str  # JPEG, PNG, GIF, BMP, WEBP or TIFF
    orientation: int  # EXIF's, 1..8, of the pixels as they are decoded


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Reads the file of a JPEG, PNG, GIF, BMP, WebP or TIFF, without decoding its pixels.

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
    """Decodes an image with Pillow, as `tensors.read_image` does with TensorFlow: uint8 [H, W, 3], RGB, upright.

    Of several frames or pages the first; gray, palette, CMYK and 16-bit images become 8-bit RGB, alpha is dropped.

    Raises:
        BadImageError: the file, called `path`, is damaged.
    """
    try:
        picture = _header(file.encoded)
        if file.format == "TIFF":
            with unlimited():  # which it looks at once more
                picture.load()
        if picture.mode.startswith("I"):  # 16-bit gray, whose upper byte TensorFlow takes
            gray = (np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)
            picture = Image.fromarray(gray)
        return upright(np.asarray(picture.convert("RGB")), file.orientation)
    except _BROKEN as error:
        raise damaged(path) from error


def read_pixels(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """`open_image`, then `decode`: uint8 [H, W, 3], RGB, upright; raises BadImageError as they do."""
    return decode(open_image(path, max_pixels), path)


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width [px] of an image file as `read_pixels` would decode it, of which only the header is read.

    Raises:
        BadImageError: the file cannot be read or is no image.
    """
    try:
        with path.open("rb") as file:
            with unlimited():
                header = Image.open(file, formats=_FORMATS)
            turned = _orientation(header) in (5, 6, 7, 8)
    except _BROKEN as error:
        raise BadImageError(f"{path} is not a readable JPEG, PNG, GIF, BMP, WebP or TIFF image.") from error
    return header.size if turned else header.size[::-1]


def encode(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    """The content of an image file; `file_format` and options as Pillow names them."""
    content = io.BytesIO()
    picture.save(content, file_format, **options)
    return content.getvalue()


def name_of_encoded(name: str, encoded: bytes) -> str:
    """The name for a file of what graphs decode: with a further ending where the image was of another format before."""
    if Path(name).suffix.lower() not in _MORE_SUFFIXES:
        return name
    return name + (".png" if encoded.startswith(b"\x89PNG") else ".jpg")


def is_lossy_webp(encoded: bytes) -> bool:
    """Whether the first picture of a WebP is lossy: its chunks are a name, their length and as many bytes, padded."""
    at = 12
    while at + 8 <= len(encoded):
        name, length = encoded[at : at + 4], int.from_bytes(encoded[at + 4 : at + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        at += 8 + (16 if name == b"ANMF" else length + length % 2)  # a frame holds chunks behind 16 bytes of its own
    return False


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
    """The image itself; raises BadImageError unless it is uint8 [H, W, 3] with at least one pixel."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise BadImageError(f"an image must be uint8 [H, W, 3] in RGB order, not {image.dtype} {list(image.shape)}.")
    return image


def _checked_header(encoded: bytes, path: Path, max_pixels: int) -> ImageFile:
    try:
        header = _header(encoded)
    except _BROKEN as error:
        raise BadImageError(f"{path} is not a readable JPEG, PNG, GIF, BMP, WebP or TIFF image.") from error
    if header.format == "TIFF" and header.mode in ("I", "F"):
        raise BadImageError(f"{path} is a TIFF of 32-bit values, whose range is not known; save it with 8 or 16 bits.")
    width, height = header.size
    if width * height > max_pixels:
        raise BadImageError(
            f"{path} has {width} x {height} pixels, over the limit of {max_pixels}; raise it (--max_pixels)."
        )
    file_format = "JPEG" if header.format == "MPO" else str(header.format)  # a JPEG with further ones behind it
    return ImageFile(encoded, file_format, _orientation(header))


def _header(encoded: bytes) -> Image.Image:
    """Opens an image whatever size it states: the limit is ours, and Pillow decodes no pixel yet."""
    with unlimited():
        return Image.open(io.BytesIO(encoded), formats=_FORMATS)


@contextlib.contextmanager
def unlimited() -> Iterator[None]:
    """Pillow without its limit of pixels, and without warnings."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(action="ignore"):
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(header: Image.Image) -> int:
    """EXIF's, of pixels as they are decoded: Pillow turns those of a TIFF by itself, and tells of no EXIF in `info`."""
    exif = Image.Exif()
    with _ONE_AT_A_TIME, contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
        # Pillow warns or raises in many ways; a photograph with broken EXIF is still one.
        exif.load(header.info.get("exif", b""))
        stated = exif.get(_EXIF_ORIENTATION)
        return stated if isinstance(stated, int) else 1
    return 1

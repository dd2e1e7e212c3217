"""What all readers share: opening photographs, lists of names, and which objects are left out."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.annotations.example import Example, Found, Instance, Loaded, Problem
from ifcn_tf.common.files import BadImageError, read_text
from ifcn_tf.images.files import decode, open_image
from ifcn_tf.masks.coco_forms import UnusableError

#: Smaller masks are left out [px]: nothing can be learned from one pixel.
MIN_AREA = 2
#: Endings of photographs' names, which a list of names may have or leave out.
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


class ImageLeftOutError(Exception):
    """An image has to be left out; carries the `Problem`."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(where)
        self.problem = Problem(kind, where)


def read_image(path: Path) -> tuple[bytes, tuple[int, int]]:
    """Reads a photograph and decodes it once, so that training never meets a broken one.

    Returns:
        The bytes of the upright image, and its (height, width) [px]. A photograph that its EXIF orientation turns is
        encoded anew, a JPEG at quality 95; all others are the file's bytes.

    Raises:
        ImageLeftOutError: there is no such file, or it is no whole image that `images.files.open_image` takes.
    """
    if not path.is_file():
        raise ImageLeftOutError("missing image", f"{path}: no such file")
    try:
        file = open_image(path)
        pixels = decode(file, path)
    except BadImageError as error:
        raise ImageLeftOutError("unreadable image", str(error)) from error
    height, width = pixels.shape[:2]
    return _encoded(pixels, file.format) if file.orientation in range(2, 9) else file.encoded, (height, width)


def _encoded(pixels: np.ndarray, file_format: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, file_format, quality=95)
    return content.getvalue()


def with_learnable(example: Example, place: str, found: Iterable[Found]) -> Loaded:
    """Gives an example those of its objects that something can be learned from.

    Args:
        example: the image.
        place: what the problems of the others name before the object.
        found: the objects.
    """
    objects: list[Instance] = []
    problems: list[Problem] = []
    for name, content in found:
        content = _learnable(content)
        if isinstance(content, Instance):
            objects.append(content)
        else:
            problems.append(Problem(content.kind, f"{place}: {name}: {content}"))
    return Loaded(dataclasses.replace(example, objects=tuple(objects)), tuple(problems))


def _learnable(content: Instance | UnusableError) -> Instance | UnusableError:
    if isinstance(content, Instance) and content.pixels < MIN_AREA:
        return UnusableError("empty or one-pixel mask", f"{content.pixels} px")
    return content


def read_names(path: Path) -> tuple[list[str], list[str]]:
    """Reads a list of images: the first word of each line, with or without an image's ending.

    Returns:
        The names without endings, each once, and those of them that stand there more than once.

    Raises:
        UserError: the file cannot be read.
    """
    words = (line.split()[0] for line in read_text(path).splitlines() if line.strip())
    counts = Counter(Path(word).stem if word.lower().endswith(_ENDINGS) else word for word in words)
    return list(counts), [name for name, count in counts.items() if count > 1]


def repeated_names(path: Path, repeated: Iterable[str]) -> tuple[Problem, ...]:
    """The problems of a list that names images more than once."""
    return tuple(Problem("duplicate id", f"{path}: {name}") for name in repeated)

"""What all readers share: opening photographs, lists of names, and which objects are left out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.annotations.example import Example, Found, Instance, Loaded, Problem
from ifcn_tf.common.files import BadImageError, UserError, read_text, require_text
from ifcn_tf.common.ids import examples, repeated
from ifcn_tf.images.files import GRAPH_FORMATS, SUFFIXES, ImageFile, decode, encode, is_lossy_webp, open_image
from ifcn_tf.masks.coco_forms import UnusableError

#: Smaller masks are left out [px]: nothing can be learned from one pixel.
MIN_AREA = 2


class ImageLeftOutError(Exception):
    """An image has to be left out; carries the `Problem`."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(where)
        self.problem = Problem(kind, where)


def read_image(path: Path) -> tuple[bytes, tuple[int, int]]:
    """Reads a photograph and decodes it once, so that training never meets a broken one.

    Returns:
        The bytes of the upright image, and its (height, width) [px]. A JPEG or PNG is the file's bytes; one that its
        EXIF orientation turns, and what graphs do not decode, is encoded anew: what lost something in its file already
        (JPEG and lossy WebP) as JPEG of quality 95, all else as PNG.

    Raises:
        ImageLeftOutError: there is no such file, or it is no whole image that `open_image` takes.
    """
    try:
        if not path.is_file():
            raise ImageLeftOutError("missing image", f"{path}: no such file")
        file = open_image(path)
        pixels = decode(file, path)
    except OSError as error:  # such as a folder that may not be searched
        raise ImageLeftOutError("unreadable image", f"{path}: {error.strerror or error}") from error
    except BadImageError as error:
        raise ImageLeftOutError("unreadable image", str(error)) from error
    height, width = pixels.shape[:2]
    as_it_is = file.format in GRAPH_FORMATS and file.orientation not in range(2, 9)
    return file.encoded if as_it_is else _encoded(pixels, file), (height, width)


def _encoded(pixels: np.ndarray, file: ImageFile) -> bytes:
    lossy = file.format == "JPEG" or (file.format == "WEBP" and is_lossy_webp(file.encoded))
    return encode(Image.fromarray(pixels), "JPEG", quality=95) if lossy else encode(Image.fromarray(pixels), "PNG")


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


def photographs_by_stem(folder: Path) -> dict[str, Path]:
    """The photographs directly in a folder by their names without ending, in the order of these.

    Raises:
        UserError: the folder cannot be read, or two of them have one name.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise UserError(f"cannot read the folder of photographs {folder}: {error.strerror or error}.") from error
    for path in paths:
        require_text(path)
    if twice := repeated(path.stem for path in paths):
        raise UserError(f"{folder} has more than one photograph named {examples(twice)}: rename all but one.")
    return {path.stem: path for path in paths}


def read_names(path: Path) -> tuple[list[str], list[str]]:
    """Reads a list of images: the first word of each line, with or without an image's ending.

    Returns:
        The names without endings, each once, and those of them that stand there more than once.

    Raises:
        UserError: the file cannot be read.
    """
    words = (line.split()[0] for line in read_text(path).splitlines() if line.strip())
    counts = Counter(Path(word).stem if word.lower().endswith(SUFFIXES) else word for word in words)
    return list(counts), [name for name, count in counts.items() if count > 1]


def repeated_names(path: Path, names: Iterable[str]) -> tuple[Problem, ...]:
    """The problems of a list that has names more than once."""
    return tuple(Problem("duplicate id", f"{path}: {name}") for name in names)

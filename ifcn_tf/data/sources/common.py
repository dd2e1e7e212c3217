"""What the readers share: opening photographs, lists of names, and objects from label images."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.data.example import Instance, Problem, counts_of
from ifcn_tf.files import UserError

#: The 20 categories of PASCAL VOC, in the order of its class images: value 1 is the first.
VOC_CATEGORIES = {
    1: "aeroplane",
    2: "bicycle",
    3: "bird",
    4: "boat",
    5: "bottle",
    6: "bus",
    7: "car",
    8: "cat",
    9: "chair",
    10: "cow",
    11: "diningtable",
    12: "dog",
    13: "horse",
    14: "motorbike",
    15: "person",
    16: "pottedplant",
    17: "sheep",
    18: "sofa",
    19: "train",
    20: "tvmonitor",
}
#: Pixels of VOC's label images that belong to nothing in particular, mostly along outlines.
VOID = 255


class ImageLeftOutError(Exception):
    """An image has to be left out; carries the `Problem`."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(where)
        self.problem = Problem(kind, where)


def read_image(path: Path) -> tuple[bytes, tuple[int, int]]:
    """Reads a photograph and decodes it once, so that training never meets a broken one.

    Returns:
        The file's bytes and the (height, width) of the image [px].

    Raises:
        ImageLeftOutError: there is no such file, or it is no whole JPEG, PNG, GIF or BMP image.
    """
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise ImageLeftOutError("missing image", f"{path}: {error.strerror or error}") from error
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG", "GIF", "BMP")) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image.load()
            return encoded, (image.height, image.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageLeftOutError("unreadable image", f"{path}: {error}") from error


def read_names(path: Path) -> tuple[list[str], list[Problem]]:
    """Reads a list of names, one a line; repeated ones are left out and reported."""
    try:
        names = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"cannot read the list {path}: {error.strerror or error}; choose another split.") from error
    repeated = [name for name, count in Counter(names).items() if count > 1]
    return list(dict.fromkeys(names)), [Problem("duplicate id", f"{path}: {name}") for name in repeated]


def objects_of_label_images(
    instances: np.ndarray, classes: np.ndarray, size_hw: tuple[int, int], name: str
) -> tuple[list[Instance], list[Problem]]:
    """Splits a pair of label images into objects.

    Args:
        instances: integers [H, W]: 0 background, VOID, else the number of the object.
        classes: integers [H, W]: the category of each pixel.
        size_hw: size of the photograph [px].
        name: stands in the reports.

    Raises:
        ImageLeftOutError: a label image has another size than the photograph.
    """
    for labels in (instances, classes):
        if labels.shape != size_hw:
            raise ImageLeftOutError("mask of another size", f"{name}: labels {labels.shape}, image {size_hw}")
    objects, problems = [], []
    for number in np.setdiff1d(instances, [0, VOID]).tolist():
        mask = instances == number
        area = int(mask.sum())
        category = int(np.bincount(classes[mask]).argmax())
        if category not in VOC_CATEGORIES:
            problems.append(Problem("unknown category", f"{name}: object {number} has category {category}"))
        elif area < 2:
            problems.append(Problem("empty or one-pixel mask", f"{name}: object {number}"))
        else:
            objects.append(Instance(counts_of(mask), category, False, float(area)))
    return objects, problems


def open_labels(path: Path) -> np.ndarray:
    """Reads a label image: a PNG whose palette indices or grey values are the labels, as int [H, W]."""
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L"):
                raise ImageLeftOutError(
                    "malformed mask", f"{path}: an image of labels has one channel, not {image.mode}"
                )
            return np.asarray(image).astype(np.int64)
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageLeftOutError("missing mask", f"{path}: {error}") from error

"""YOLO's segmentation labels (https://docs.ultralytics.com/datasets/segment): a text file beside each photograph.

The labels of .../images/.../NAME.jpg are .../labels/.../NAME.txt, a line an object: its class, from 0, then the x and y
of its polygon's points as shares of the photograph's width and height. A photograph without such a file has no objects.
The `names` of classes are in .../data.yaml, if there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from ifcn_tf.annotations.example import Example, Found, Instance, Job, Loaded, Source
from ifcn_tf.annotations.reading import ImageLeftOutError, photographs_by_stem, read_image, with_learnable
from ifcn_tf.common.files import UserError, read_text
from ifcn_tf.masks.coco_forms import UnusableError, read_masks

_OVERHANG = 1.0  # px, as of COCO's polygons
_MOST_CLASSES = 2**31 - 1
_FORM = "a class and three or more pairs of numbers are needed"


def yolo_source(images: Path) -> Source:
    """Opens the photographs of a folder; categories are numbered from 1.

    Args:
        images: a folder in or below one named "images".

    Raises:
        UserError: it is in no such folder, or it, the folder of its labels or data.yaml cannot be read.
    """
    photographs = photographs_by_stem(images)
    root, below = _split(images)
    labels = root / "labels" / below
    if not labels.is_dir():
        raise UserError(f"no folder {labels}, where YOLO keeps the labels of {images}.")
    names = _names(root / "data.yaml")
    load = functools.partial(_load, known=set(names))
    jobs: list[Job] = [functools.partial(load, path, labels / f"{stem}.txt") for stem, path in photographs.items()]
    return Source(names, len(jobs), jobs)


def _split(images: Path) -> tuple[Path, Path]:
    """What is above the last "images" of a path, and what is below."""
    parts = images.absolute().parts
    places = [place for place, part in enumerate(parts) if part == "images"]
    if not places:
        raise UserError(f"{images} is in no folder named images, beside which YOLO keeps labels/: give it (--images).")
    return Path(*parts[: places[-1]]), Path(*parts[places[-1] + 1 :])


def _names(path: Path) -> dict[int, str]:
    """Names of categories by their numbers, from 1; none where there is no such file, which lists them from 0."""
    if not path.exists():
        return {}
    try:
        names = yaml.safe_load(read_text(path))["names"]
        by_class = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number) + 1: str(name) for number, name in by_class}
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} names no classes: it needs 'names', a list or numbers from 0 with names.") from error


def _load(path: Path, labels: Path, known: set[int]) -> Loaded:
    try:
        encoded, size_hw = read_image(path)
        lines = _lines(labels)
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    objects = _objects(lines, size_hw, known)
    return with_learnable(Example(path.stem, path.name, size_hw, (), encoded), str(labels), objects)


def _lines(labels: Path) -> list[str]:
    try:
        return read_text(labels).splitlines() if labels.exists() else []
    except UserError as error:
        raise ImageLeftOutError("malformed mask", str(error)) from error


def _objects(lines: list[str], size_hw: tuple[int, int], known: set[int]) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Found(f"line {number}", _object(line.split(), size_hw, known))


def _object(words: list[str], size_hw: tuple[int, int], known: set[int]) -> Instance | UnusableError:
    try:
        category, values = int(words[0]), np.array(words[1:], np.float64)
        points = values.reshape(-1, 2) * size_hw[::-1]
    except ValueError:
        return UnusableError("malformed mask", _FORM)
    if not 0 <= category < _MOST_CLASSES or len(points) < 3:
        return UnusableError("malformed mask", _FORM)
    if known and category + 1 not in known:
        return UnusableError("unknown category", f"class {category}, of which data.yaml has no name")
    (mask,) = read_masks([[points.ravel().tolist()]], size_hw, _OVERHANG)
    return mask if isinstance(mask, UnusableError) else Instance.of_rle(mask, category + 1)

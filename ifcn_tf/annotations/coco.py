"""COCO's json: polygons, run lengths and crowds of COCO 2014 and 2017, and anybody's own file of that form.

`bbox`, `area`, `iscrowd`, `info`, `licenses`, annotations' ids and, where there are none, `categories` may be absent;
an image's `id` and an annotation's `image_id` and `segmentation` may not. Two read it: data preparation leaves out and
reports what cannot be used, and the truth of an evaluation refuses it (`evaluation.truth`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ifcn_tf.annotations.coco_index import CocoImage, CocoIndex, file_name_of, whole_number
from ifcn_tf.annotations.example import MAX_AREA, Example, Found, Instance, Job, Loaded, Source
from ifcn_tf.annotations.reading import ImageLeftOutError, read_image, with_learnable
from ifcn_tf.masks.coco_forms import UnusableError, read_masks
from ifcn_tf.masks.rle import Rle

#: Vertices may lie this far outside a photograph that is prepared [px]: annotation tools round.
_OVERHANG = 1.0


def read_objects(
    image: CocoImage, size_hw: tuple[int, int], categories: Collection[int], overhang: float | None = None
) -> Iterator[Found]:
    """The objects of an image, one for each of `image.annotations`, as these state them.

    Args:
        image: of a `CocoIndex`.
        size_hw: of the image [px].
        categories: known ids; where there are none, objects may have any.
        overhang: how far polygons may lie outside the image [px]; by default its longer side.
    """
    masks = read_masks([annotation.get("segmentation") for annotation in image.annotations], size_hw, overhang)
    for annotation, mask in zip(image.annotations, masks, strict=True):
        content = mask if isinstance(mask, UnusableError) else _instance_or_error(annotation, mask, categories)
        number = annotation.get("id")
        name = "an annotation without id" if number is None else f"annotation {number}"
        yield Found(f"{name} of image {image.image_id}", content)


def _instance_or_error(annotation: dict[str, Any], mask: Rle, categories: Collection[int]) -> Instance | UnusableError:
    try:
        return Instance.of_rle(mask, _category(annotation, categories), _is_crowd(annotation), _area(annotation))
    except UnusableError as error:
        return error


def _category(annotation: dict[str, Any], categories: Collection[int]) -> int:
    stated = annotation.get("category_id")
    number = whole_number(stated)
    if not categories:
        return 1 if number is None else number
    if number is None or number not in categories:
        kind = "malformed annotation" if number is None else "unknown category"
        raise UnusableError(kind, f"its category_id is {stated!r}, which 'categories' does not list")
    return number


def _is_crowd(annotation: dict[str, Any]) -> bool:
    stated = annotation.get("iscrowd")
    if stated not in (0, 1, None):
        raise UnusableError("malformed annotation", f"its iscrowd is {stated!r}, 0 or 1 is needed")
    return bool(stated)


def _area(annotation: dict[str, Any]) -> float | None:
    """The area that is stated; None where none is, or where it could be no area: it would have no size class."""
    area = annotation.get("area")
    if area is None:
        return None
    if not isinstance(area, int | float) or isinstance(area, bool):
        raise UnusableError("malformed annotation", f"its area is {area!r}, a number of pixels is needed")
    return float(area) if 0 <= area <= MAX_AREA else None


def coco_source(annotations: Path, images: Path, names: Path | None = None) -> Source:
    """Opens a COCO json.

    Args:
        annotations: the json file.
        images: folder of its photographs.
        names: text file of the images to take, names of their files, one a line; by default all.

    Raises:
        UserError: a file is missing, or the json is no object.
    """
    index = CocoIndex(annotations)
    if names:
        index.keep(names)
    return Source(index.categories, len(index) + bool(index.problems()), _Jobs(index, images))


def lvis_source(annotations: Path, images: Path, names: Path | None = None) -> Source:
    """Opens a json of LVIS v1 (Gupta, Dollar and Girshick, CVPR 2019), as `coco_source` does.

    Of each photograph some of the 1203 categories are labelled, and some of these "not exhaustively". So what is not
    labelled may be an object all the same, and the source is partial. `images` holds COCO's train2017 and val2017.
    """
    return dataclasses.replace(coco_source(annotations, images, names), is_partial=True)


class _Jobs:
    """Iterates over an index, one job an image, in the order of the file; first what is left out of the index."""

    def __init__(self, index: CocoIndex, images: Path) -> None:
        self._index, self._images = index, images

    def __iter__(self) -> Iterator[Job]:
        if problems := self._index.problems():
            yield functools.partial(Loaded, None, tuple(problems))
        known = frozenset(self._index.categories)
        for image in self._index:
            yield functools.partial(_load, self._images, image, known)


def _load(folder: Path, image: CocoImage, known: frozenset[int]) -> Loaded:
    try:
        name = _name_inside(image)
        encoded, size_hw = read_image(folder / name)
        _require_size(image.entry, name, size_hw)
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    example = Example(str(image.entry["id"]), name, size_hw, (), encoded)
    return with_learnable(example, name, read_objects(image, size_hw, known, _OVERHANG))


def _name_inside(image: CocoImage) -> str:
    """The image's file name, which stays in the folder of the images."""
    name = file_name_of(image.entry)
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ImageLeftOutError("malformed entry", f"image {image.image_id}: no name of a file in the folder: {name!r}")
    return name


def _require_size(entry: dict[str, Any], file_name: str, size_hw: tuple[int, int]) -> None:
    """Sizes in the json may be absent, but not wrong."""
    for name, size in zip(("height", "width"), size_hw, strict=True):
        if entry.get(name) not in (None, size):
            where = (
                f"{file_name}: {name} {entry[name]} in the json, {size} in the image; sizes and masks are of "
                "the upright image, as its EXIF orientation says"
            )
            raise ImageLeftOutError("mask of another size", where)

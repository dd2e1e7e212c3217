"""Objects out of label images, whose pixels say which object they belong to: VOC's and SBD's form."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ifcn_tf.annotations.example import Example, Found, Instance, Job, Loaded, Source
from ifcn_tf.annotations.reading import ImageLeftOutError, read_image, read_names, repeated_names, with_learnable
from ifcn_tf.common.classes import VOC_CATEGORIES, VOID
from ifcn_tf.images.files import encode, unlimited
from ifcn_tf.masks.coco_forms import UnusableError


class Labels(NamedTuple):
    """The objects of a photograph.

    Attributes:
        instances: int [H, W], the number of the object at each pixel; 0 is background, VOID no object.
        categories: of each object, by its number; None where the data set has no classes of this photograph.
        classes: int [H, W], the class of each pixel; 0 is background, VOID none in particular. None likewise.
    """

    instances: np.ndarray
    categories: Mapping[int, int] | None
    classes: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where a data set keeps what, below its root.

    Attributes:
        photographs: folder of NAME.jpg.
        masks: folder of the files with objects.
        suffix: of these files.
        lists: folder of image lists, SPLIT.txt.
        read: takes the root and a NAME; raises ImageLeftOutError.
    """

    photographs: str
    masks: str
    suffix: str
    lists: str
    read: Callable[[Path, str], Labels]


def open_labels(path: Path) -> np.ndarray:
    """Palette indices or grey values of a PNG of 8 or 16 bits, int64 [H, W]; raises ImageLeftOutError."""
    try:
        with path.open("rb") as file:
            with unlimited():
                image = Image.open(file, formats=("PNG",))
            if image.mode not in ("P", "L", "I;16", "I"):
                raise ImageLeftOutError("malformed mask", f"{path}: labels have one channel, not {image.mode}")
            return np.asarray(image).astype(np.int64)
    except FileNotFoundError as error:
        raise ImageLeftOutError("missing mask", f"{path}: no such file") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageLeftOutError("malformed mask", f"{path}: {error}") from error


def numbers_of(instances: np.ndarray) -> list[int]:
    """The numbers of the objects that have pixels, in rising order."""
    return np.setdiff1d(instances, [0, VOID]).tolist()


def objects_of(labels: Labels) -> Iterator[Found]:
    """The objects by their numbers, with category 0 where it is not known; one without pixels is no object."""
    categories = labels.categories or {}
    for number in sorted({*numbers_of(labels.instances), *categories}):
        mask = labels.instances == number
        empty = UnusableError("empty or one-pixel mask", "0 px")
        yield Found(f"object {number}", Instance.of_mask(mask, categories.get(number, 0)) if mask.any() else empty)


def labelled_source(layout: Layout, root: Path, names: Path) -> Source:
    """A source of the photographs of a list.

    Args:
        layout: of the data set; can be pickled.
        root: of the data set.
        names: text file as `read_names` takes it.

    Raises:
        UserError: the list cannot be read.
    """
    listed, repeated = read_names(names)
    jobs: list[Job] = [functools.partial(_load, layout, root, name) for name in listed]
    jobs += [functools.partial(Loaded, None, repeated_names(names, repeated))] if repeated else []
    return Source(VOC_CATEGORIES, len(jobs), jobs)


def _load(layout: Layout, root: Path, name: str) -> Loaded:
    path = root / layout.photographs / f"{name}.jpg"
    try:
        encoded, size_hw = read_image(path)
        labels = layout.read(root, name)
        if labels.categories is None:
            raise ImageLeftOutError("missing mask", f"{path}: its objects have no classes")
        if labels.instances.shape != size_hw:
            where = f"{path}: labels {labels.instances.shape}, image {size_hw}"
            raise ImageLeftOutError("mask of another size", where)
        classes = class_image(labels.classes, VOC_CATEGORIES, str(path))
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    found = (Found(item.name, _categorized(item.content)) for item in objects_of(labels))
    return with_learnable(Example(name, path.name, size_hw, (), encoded, classes), str(path), found)


def class_image(classes: np.ndarray | None, categories: Mapping[int, str], place: str) -> bytes:
    """Classes int [H, W] as `Example.classes` holds them, empty of None.

    Raises:
        ImageLeftOutError: a value is neither 0, nor a category, nor VOID; names the place.
    """
    if classes is None:
        return b""
    if beyond := np.setdiff1d(classes, [0, *categories, VOID]).tolist():
        known = f"there are 0 to {len(categories)} and {VOID}"
        raise ImageLeftOutError("unknown class", f"{place}: its class mask has the value {beyond[0]}, and {known}")
    position = np.full(VOID + 1, VOID, np.uint8)
    position[[0, *sorted(categories)]] = np.arange(len(categories) + 1)
    return encode(Image.fromarray(position[classes]), "PNG")


def _categorized(content: Instance | UnusableError) -> Instance | UnusableError:
    if isinstance(content, Instance) and content.category_id not in VOC_CATEGORIES:
        return UnusableError("unknown category", f"category {content.category_id}")
    return content

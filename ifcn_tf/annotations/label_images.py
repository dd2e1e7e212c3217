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
from ifcn_tf.masks.coco_forms import UnusableError

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


class Labels(NamedTuple):
    """The objects of a photograph.

    Attributes:
        instances: int [H, W], the number of the object at each pixel; 0 is background, VOID no object.
        categories: of each object, by its number; None where the data set has no classes of this photograph.
    """

    instances: np.ndarray
    categories: Mapping[int, int] | None


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
        with Image.open(path, formats=("PNG",)) as image:
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
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    found = (Found(item.name, _categorized(item.content)) for item in objects_of(labels))
    return with_learnable(Example(name, path.name, size_hw, (), encoded), str(path), found)


def _categorized(content: Instance | UnusableError) -> Instance | UnusableError:
    if isinstance(content, Instance) and content.category_id not in VOC_CATEGORIES:
        return UnusableError("unknown category", f"category {content.category_id}")
    return content

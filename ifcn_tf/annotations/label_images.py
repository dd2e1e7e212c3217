"""What the readers share: opening photographs, lists of names, and objects from label images."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ifcn_tf.annotations.example import Example, Instance, Job, Loaded, Problem, Source, counts_of
from ifcn_tf.common.files import BadImageError, read_text
from ifcn_tf.images.files import GRAPH_FORMATS, ImageFile, decode, encode, is_lossy_webp, open_image

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
#: Smaller masks are left out [px]: nothing can be learned from one pixel.
MIN_AREA = 2

#: Reads a label image, int [H, W]; raises ImageLeftOutError.
OpenLabels = Callable[[], np.ndarray]


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
    if not path.is_file():
        raise ImageLeftOutError("missing image", f"{path}: no such file")
    try:
        file = open_image(path)
        pixels = decode(file, path)
    except BadImageError as error:
        raise ImageLeftOutError("unreadable image", str(error)) from error
    height, width = pixels.shape[:2]
    as_it_is = file.format in GRAPH_FORMATS and file.orientation not in range(2, 9)
    return file.encoded if as_it_is else _encoded(pixels, file), (height, width)


def _encoded(pixels: np.ndarray, file: ImageFile) -> bytes:
    lossy = file.format == "JPEG" or (file.format == "WEBP" and is_lossy_webp(file.encoded))
    return encode(Image.fromarray(pixels), "JPEG", quality=95) if lossy else encode(Image.fromarray(pixels), "PNG")


def source_of_names(names: Path, load: Callable[[str], Loaded], categories: dict[int, str]) -> Source:
    """A source that loads the images of a list by name.

    Args:
        names: text file as `read_names` takes it.
        load: can be pickled.
        categories: names by id.

    Raises:
        UserError: the list cannot be read.
    """
    listed, problems = read_names(names)
    jobs: list[Job] = [functools.partial(load, name) for name in listed]
    jobs += [functools.partial(Loaded, None, problems)] if problems else []
    return Source(categories, len(jobs), jobs)


def read_names(path: Path) -> tuple[list[str], tuple[Problem, ...]]:
    """The names in a text file, the first word of each line; each once, and a problem for each repeated one.

    Raises:
        UserError: the file cannot be read.
    """
    counts = Counter(line.split()[0] for line in read_text(path).splitlines() if line.strip())
    repeated = [name for name, count in counts.items() if count > 1]
    return list(counts), tuple(Problem("duplicate id", f"{path}: {name}") for name in repeated)


def load_labelled(path: Path, open_instances: OpenLabels, open_classes: OpenLabels) -> Loaded:
    """Loads a photograph whose objects are in a pair of label images, int [H, W].

    Args:
        path: the photograph; its stem is the example's `source_id`.
        open_instances: the number of the object at each pixel; 0 is background, VOID no object.
        open_classes: the category of each pixel.
    """
    try:
        encoded, size_hw = read_image(path)
        instances, classes = open_instances(), open_classes()
        for labels in (instances, classes):
            if labels.shape != size_hw:
                raise ImageLeftOutError("mask of another size", f"{path}: labels {labels.shape}, image {size_hw}")
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    found = [
        _labelled_object(instances == number, classes, f"{path}: object {number}")
        for number in np.setdiff1d(instances, [0, VOID]).tolist()
    ]
    objects = tuple(item for item in found if isinstance(item, Instance))
    problems = tuple(item for item in found if isinstance(item, Problem))
    return Loaded(Example(path.stem, path.name, encoded, size_hw, objects), problems)


def _labelled_object(mask: np.ndarray, classes: np.ndarray, where: str) -> Instance | Problem:
    area = int(mask.sum())
    category = int(np.bincount(classes[mask]).argmax())
    if category not in VOC_CATEGORIES:
        return Problem("unknown category", f"{where} has category {category}")
    if area < MIN_AREA:
        return Problem("empty or one-pixel mask", f"{where} has {area} px")
    return Instance(counts_of(mask), category, False, float(area))

"""What every source yields: one annotated photograph, checked, with its objects' masks as run lengths."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.masks.rle import Rle


@dataclasses.dataclass(frozen=True)
class Instance:
    """One object.

    Attributes:
        counts: run lengths of its mask [px], column by column, alternating between background and object and
            beginning with background (0 where the first pixel is the object's). They sum to height * width.
        category_id: its category in the source's numbering.
        is_crowd: whether the mask covers a group whose members are not separated.
        area: area that the annotation states [px^2], else the mask's.
    """

    counts: tuple[int, ...]
    category_id: int
    is_crowd: bool
    area: float


@dataclasses.dataclass(frozen=True)
class Example:
    """One photograph.

    Attributes:
        source_id: unique name within the source.
        file_name: of the image.
        encoded: the image as a JPEG or PNG, upright.
        size_hw: image size [px].
        objects: in the source's order; may be empty.
    """

    source_id: str
    file_name: str
    encoded: bytes
    size_hw: tuple[int, int]
    objects: tuple[Instance, ...]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that was left out: an object, or the image with all of its objects.

    Attributes:
        kind: one of a few phrases, under which problems are counted.
        where: names the file, object and reason.
    """

    kind: str
    where: str


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What became of one image: the example, or None where it had to be left out, and what was wrong."""

    example: Example | None
    problems: tuple[Problem, ...] = ()


#: Loads one image. It can be pickled, so that another process may run it.
Job = Callable[[], Loaded]


@dataclasses.dataclass(frozen=True)
class Source:
    """An annotated collection.

    Attributes:
        categories: names by id; empty where the source has none.
        size: number of jobs.
        jobs: one an image, made while iterating.
    """

    categories: dict[int, str]
    size: int
    jobs: Iterable[Job]


def counts_of(mask: np.ndarray) -> tuple[int, ...]:
    """Run lengths of a binary mask [H, W], as `Instance.counts` has them."""
    flat = np.ravel(mask, "F").astype(bool)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(changes, prepend=0, append=flat.size).tolist()
    return (0, *runs) if flat[0] else tuple(runs)


def rle_of(counts: tuple[int, ...], size_hw: tuple[int, int]) -> Rle:
    """COCO's compressed form of run lengths."""
    rle = coco_mask.frPyObjects({"size": list(size_hw), "counts": list(counts)}, *size_hw)
    return Rle(size=list(size_hw), counts=rle["counts"].decode())


def tight_box_yxyx(counts: tuple[int, ...], size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """Smallest box [px] around a mask that is not empty."""
    left, top, width, height = (round(v) for v in coco_mask.toBbox(rle_of(counts, size_hw)))
    return top, left, top + height, left + width

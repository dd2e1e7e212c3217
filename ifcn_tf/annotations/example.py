"""One annotated photograph: what readers yield, what is trained on and what an evaluation looks for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.common.ids import ImageId, id_of_text
from ifcn_tf.masks.coco_forms import UnusableError
from ifcn_tf.masks.rle import Rle, encode, tight_box_xywh

#: COCO's size classes end here [px^2]: an object that is said to be larger would be in none.
MAX_AREA = 1e10


@dataclasses.dataclass(frozen=True)
class Instance:
    """One object.

    Attributes:
        rle: its mask, of the image's size.
        category_id: its category in the source's numbering; 0 where the source does not say.
        is_crowd: whether the mask covers a group whose members are not separated, which counts as no object.
        area: area that the annotation states [px^2], else the mask's.
        box_xywh: left, top, width, height [px]: the mask's tight box, or what the truth of an evaluation states.
    """

    rle: Rle
    category_id: int
    is_crowd: bool
    area: float
    box_xywh: tuple[float, float, float, float]

    @classmethod
    def of_rle(cls, rle: Rle, category_id: int, is_crowd: bool = False, area: float | None = None) -> Self:
        """An object by its mask, which gives the area where none is stated, and the box."""
        area = float(coco_mask.area(rle)) if area is None else area
        return cls(rle, category_id, is_crowd, area, tight_box_xywh(rle))

    @classmethod
    def of_mask(cls, mask: np.ndarray, category_id: int, is_crowd: bool = False) -> Self:
        """An object by its binary mask [H, W]."""
        return cls.of_rle(encode(mask), category_id, is_crowd)

    @property
    def pixels(self) -> int:
        """Pixels of the mask."""
        return int(coco_mask.area(self.rle))


@dataclasses.dataclass(frozen=True)
class Example:
    """One image and its G objects.

    Attributes:
        source_id: unique name within the source.
        file_name: of the image.
        size_hw: image size [px].
        objects: in the source's order; may be none.
        encoded: the image as a JPEG or PNG, upright; empty where only the annotations were read.
        classes: the class of each pixel as a PNG of 8 bits: 0 background, n the n-th category of the source by its
            number, 255 none in particular. Empty where the source does not say.
    """

    source_id: str
    file_name: str
    size_hw: tuple[int, int]
    objects: tuple[Instance, ...]
    encoded: bytes = b""
    classes: bytes = b""

    @property
    def image_id(self) -> ImageId:
        """The `source_id` as results and truth write it."""
        return id_of_text(self.source_id)

    @functools.cached_property
    def rles(self) -> list[Rle]:
        """The G masks."""
        return [item.rle for item in self.objects]

    @functools.cached_property
    def boxes_xywh(self) -> np.ndarray:
        """The boxes [px], float64 [G, 4]."""
        return np.array([item.box_xywh for item in self.objects], np.float64).reshape(-1, 4)

    @functools.cached_property
    def areas(self) -> np.ndarray:
        """The areas [px^2], float64 [G]."""
        return np.array([item.area for item in self.objects], np.float64)

    @functools.cached_property
    def crowd(self) -> np.ndarray:
        """Which are groups and no objects, bool [G]."""
        return np.array([item.is_crowd for item in self.objects], bool)


class Found(NamedTuple):
    """An object as a file has it: what it is called there, and the instance or why it cannot be used."""

    name: str
    content: Instance | UnusableError


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
        is_partial: whether the photographs may show other objects, which nobody labelled.
    """

    categories: dict[int, str]
    size: int
    jobs: Iterable[Job]
    is_partial: bool = False

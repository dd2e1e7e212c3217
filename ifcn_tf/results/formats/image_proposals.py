"""What formats are given: photographs, and the proposals that are written of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ifcn_tf.common.ids import ImageId, id_of_file
from ifcn_tf.images.files import read_pixels
from ifcn_tf.proposals import OBJECT, Proposals


@dataclasses.dataclass(frozen=True)
class ImageProposals:
    """One photograph.

    Attributes:
        path: of its file.
        proposals: best first.
        known_pixels: what its file holds, uint8 [H, W, 3], where somebody has read it already.
        error: why there are neither proposals nor a size, in one sentence; only complete formats are given such.
    """

    path: Path
    proposals: Proposals
    known_pixels: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)
    error: str | None = None

    @classmethod
    def failed(cls, path: Path, error: str) -> ImageProposals:
        """A photograph that could not be used."""
        return cls(path, Proposals((0, 0), np.zeros(0, np.float32), []), error=error)

    @property
    def image_id(self) -> ImageId:
        """The photograph's id in COCO results."""
        return id_of_file(self.path)

    def pixels(self) -> np.ndarray:
        """The photograph, uint8 [H, W, 3], of the proposals' size; raises BadImageError where it cannot be read."""
        if self.known_pixels is not None:
            return self.known_pixels
        return read_pixels(self.path, math.prod(self.proposals.size_hw))


def categories_of(proposals: Proposals) -> dict[int, str]:
    """Names of the categories of proposals by number, wherever a format wants some: 1 of those that have no names."""
    if proposals.category_ids is None:
        return {1: OBJECT}
    return {**proposals.categories, **dict(zip(proposals.category_ids.tolist(), proposals.labels, strict=True))}


def category_ids_of(proposals: Proposals) -> list[int]:
    """Numbers of `categories_of`, one a proposal."""
    return [1] * len(proposals) if proposals.category_ids is None else proposals.category_ids.tolist()


#: Consumed one by one, so that memory does not grow with their number.
Images = Iterable[ImageProposals]

"""Every object with the rank at which it is recalled: all measures are sums over this table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ifcn_tf.annotations.example import Example
from ifcn_tf.evaluation.matching import SIZES, Match, in_sizes

#: Number of each size class in the table.
SIZE_NUMBER = {name: number for number, name in enumerate(SIZES)}


@dataclasses.dataclass(frozen=True)
class ObjectTable:
    """O objects, crowds left out. Tables of different images can be put together: `ObjectTable.concatenate`.

    Attributes:
        image: int64 [O], number of the object's image among those evaluated.
        counted: bool [sizes, O], which objects count in a size class.
        ranks: int32 [sizes, O, thresholds], rank (from 0) of the proposal that recalls the object, or NEVER.
        best_ious: float64 [O, limits], highest IoU with any of the first N proposals, for each N asked for.
    """

    image: np.ndarray
    counted: np.ndarray
    ranks: np.ndarray
    best_ious: np.ndarray

    @classmethod
    def of_image(cls, number: int, image: Example, match: Match, limits: Sequence[int]) -> ObjectTable:
        """The objects of one image.

        Args:
            number: of the image.
            image: with its objects.
            match: of these.
            limits: the numbers of proposals, N.
        """
        best = [match.ious[:limit].max(0, initial=0.0) for limit in limits]
        kept = np.flatnonzero(~image.crowd)
        return cls(
            np.full(len(kept), number),
            in_sizes(image.areas, image.crowd)[:, kept],
            match.ranks[:, kept],
            np.stack(best, 1)[kept],
        )

    @classmethod
    def concatenate(cls, tables: Sequence[ObjectTable]) -> ObjectTable:
        """The objects of all tables, of which there is at least one."""
        return cls(
            np.concatenate([table.image for table in tables]),
            np.concatenate([table.counted for table in tables], 1),
            np.concatenate([table.ranks for table in tables], 1),
            np.concatenate([table.best_ious for table in tables]),
        )

    def recalled(self, size: str, limit: int, chosen: np.ndarray | None = None) -> tuple[np.ndarray, int]:
        """How many objects the first `limit` proposals recall.

        Args:
            size: a name of SIZES.
            limit: number of proposals, N.
            chosen: bool [O], which objects to look at; all of the size class by default.

        Returns:
            (int64 [thresholds], number recalled at each of THRESHOLDS; number of objects).
        """
        number = SIZE_NUMBER[size]
        counted = self.counted[number] if chosen is None else self.counted[number] & chosen
        return (self.ranks[number, counted] < limit).sum(0), int(counted.sum())

    def hits(self, size: str, limit: int, num_images: int) -> np.ndarray:
        """Sum over an image's objects of COCO's thresholds at which each is recalled, int64 [num_images]."""
        number = SIZE_NUMBER[size]
        recalled = (self.ranks[number, :, :-1] < limit).sum(1) * self.counted[number]
        return np.bincount(self.image, recalled, num_images).astype(np.int64)

    def objects(self, size: str, num_images: int) -> np.ndarray:
        """Number of objects of a size class in each image, int64 [num_images]."""
        return np.bincount(self.image[self.counted[SIZE_NUMBER[size]]], minlength=num_images)

    def recalled_up_to(self, size: str, limits: np.ndarray) -> tuple[np.ndarray, int]:
        """As `recalled` for many numbers of proposals, summed over COCO's ten thresholds: (int64 [limits], objects)."""
        number = SIZE_NUMBER[size]
        ranks = np.sort(self.ranks[number, self.counted[number], :-1], axis=None)
        return np.searchsorted(ranks, limits), int(self.counted[number].sum())

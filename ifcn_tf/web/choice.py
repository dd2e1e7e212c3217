"""Which proposals of a photograph are shown, and which of them a visitor takes by clicking."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals

#: A mask counts as inside a box when this part of it is: boxes drawn by hand cut off a few pixels [0..1].
_INSIDE = 0.9
#: Two clicks this near to each other are at the same point, as a part of the side of a square of the photograph's area.
_SAME_POINT = 0.01


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the sliders and the box ask for; a proposal that meets all of it is good."""

    min_score: float = 0.3
    """Of this score or more [0..1]."""
    min_size: float = 0.0
    """Of this part of the photograph or more [0..1]."""
    count: int = 50
    """The best so many [count]."""
    box_yxyx: tuple[float, float, float, float] | None = None
    """Inside this box [px], unless it is None."""

    def of(self, proposals: Proposals) -> np.ndarray:
        """Indices of the good proposals, int64 [n], best first."""
        enough = self.min_size * math.prod(proposals.size_hw)
        good = (proposals.scores >= self.min_score) & (proposals.areas() >= enough)
        if self.box_yxyx is not None:
            good &= _share_inside(proposals, self.box_yxyx) >= _INSIDE
        return np.flatnonzero(good)[: self.count]


@dataclasses.dataclass
class Choice:
    """What a visitor took of the proposals of one photograph.

    Attributes:
        taken: indices of proposals, in the order of the clicks.
    """

    taken: list[int] = dataclasses.field(default_factory=list)
    _point_yx: tuple[float, float] = (-math.inf, -math.inf)
    _before: list[int] = dataclasses.field(default_factory=list)
    _turn: int = 0

    def click(self, proposals: Proposals, good: np.ndarray, point_yx: tuple[float, float], add: bool) -> None:
        """Takes the smallest good mask under a point; at the same point again, the next larger one instead of it.

        Args:
            proposals: of the photograph.
            good: indices of those that can be taken (`Wanted.of`).
            point_yx: where the click was [px].
            add: keep what was taken before. A mask that was is then given back.
        """
        again = math.dist(point_yx, self._point_yx) <= _SAME_POINT * math.sqrt(math.prod(proposals.size_hw))
        if again:
            self._turn += 1
        else:
            self._point_yx, self._turn, self._before = point_yx, 0, self.taken if add else []
        under = good[under_point(proposals[good], point_yx)]
        if not len(under):
            self.taken = self._before
            return
        pick = int(under[self._turn % len(under)])
        self.taken = [i for i in self._before if i != pick] if pick in self._before else [*self._before, pick]

    def clear(self) -> None:
        """Gives everything back."""
        self.taken, self._point_yx = [], (-math.inf, -math.inf)


def under_point(proposals: Proposals, point_yx: tuple[float, float]) -> np.ndarray:
    """Indices of the proposals whose masks cover the pixel of a point, int64 [n]: smallest first, then best first."""
    y, x = (math.floor(value) for value in point_yx)
    covering = np.flatnonzero(_share_inside(proposals, (y, x, y + 1, x + 1)) > 0)
    return covering[np.argsort(proposals.areas()[covering], kind="stable")]


def _share_inside(proposals: Proposals, box_yxyx: tuple[float, float, float, float]) -> np.ndarray:
    """The part of each mask that lies in a box [px], float64 [n]."""
    y0, x0, y1, x1 = (max(0, round(value)) for value in box_yxyx)
    inside = np.zeros(proposals.size_hw, bool)
    inside[y0:y1, x0:x1] = True
    # With "crowd" truth pycocotools divides the intersection by the mask's own area.
    return coco_mask.iou(proposals.rles, [encode(inside)], [1])[:, 0] if len(proposals) else np.zeros(0)

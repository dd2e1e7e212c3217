"""How an image becomes proposals, and which of them are shown: frozen dataclasses, every field with its unit.

A configuration is checked on creation, passed as an argument and never kept as a global. Values marked [P] are the
paper's (Dai et al., Instance-sensitive Fully Convolutional Networks, ECCV 2016); the others are this project's choice.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Self

from ifcn_tf.config.settings import Settings, require, require_amount
from ifcn_tf.geometry import relative_side, resized_hw

#: Shorter sides of the image pyramid in pixels, 600 * 1.5^{-4, -3, -2, -1, 0, 1} [P].
SIX_SCALES = (119, 178, 267, 400, 600, 900)
#: Shorter sides as multiples of the image's own, 2^{-2, -1.5, ..., 1}, as DeepMask proposes on COCO [ratio].
DEEPMASK_FACTORS = tuple(2 ** (step / 2) for step in range(-4, 3))
#: No image is resized to a longer side [px].
LONGEST_SIDE = 100_000


@dataclasses.dataclass(frozen=True)
class ProposerConfig(Settings):
    """Settings of the step from an image to its proposals (section 3.3, "Inference")."""

    shorter_sides: tuple[int, ...] = SIX_SCALES
    """Shorter side of the image at each scale of the pyramid [px] [P]."""
    scale_factors: tuple[float, ...] = ()
    """Where there are any, the scales are these instead of `shorter_sides`: multiples of the image's own shorter side,
    such as `DEEPMASK_FACTORS` [ratio]."""
    longer_side_limit: int = 2700
    """No resized image is longer than this [px]; keeps panoramas (over 3 : 1 at 900 px) within memory. All scales that
    it lowers are of one size and are computed all the same: from 4.5 : 1 on, 900 px repeats 600 px."""
    blend_cells: int = 0
    """So far from a border between relative positions the score maps of both sides are averaged; the paper copies from
    one map [cells]."""
    mask_threshold: float = 0.4
    """A cell or pixel belongs to the mask from this probability on [0..1]."""
    nms_iou: float = 0.8
    """Of two proposals whose boxes overlap by more than this IoU the better one stays [0..1] [P]."""
    confidence_weight: float = 0.0
    """What the mask's mean probability counts for the score, beside objectness; the paper ranks by objectness alone
    [logits of objectness per logit of probability]."""
    overlap_penalty: float = 0.0
    """What the highest IoU with the box of any better proposal, squared, takes from the score [logits per unit]."""
    num_proposals: int = 1000
    """Proposals kept an image, the paper's N [count] [P]."""
    num_ranked: int = 1000
    """Proposals of highest objectness that suppression leaves to be ranked, of which the best `num_proposals` are kept;
    where it is smaller than `num_proposals`, that many are ranked [count]."""
    pre_nms: int = 12000
    """Windows of highest objectness, over all scales, that enter non-maximum suppression [count]."""
    focus_threshold: float = 0.02
    """Where there is a focus (`models.focus`), finer scales are computed in part: in the rectangle that, of its area,
    more than this share is expected to show objects of their size; 0: whole [0..1]."""
    flip: bool = False
    """Objectness and masks are means over the image and its mirror image (test-time flip), in twice the time."""
    edge_samples: int = 0
    """Masks are fitted to the colours of so many samples along each side of a cell, and have so many times the cells
    (`masks.edges`); 0: they stay as predicted [count]."""
    num_refined: int = 1000
    """Where there is a refiner (`models.refiner`), so many of the proposals that are ranked have their masks fitted and
    refined, those that rank first by their coarse masks [count]."""
    min_area: float = 0.0
    """Masks of a smaller area, estimated by their cells or counted in pixels, are dropped [px^2 of the original image];
    empty masks always are."""

    def __post_init__(self) -> None:
        require(
            bool(self.shorter_sides) and all(8 <= side <= LONGEST_SIDE for side in self.shorter_sides),
            f"shorter_sides needs at least one scale, each of 8 to {LONGEST_SIDE} px, not {self.shorter_sides}.",
        )
        require(
            all(0.01 <= factor <= 100 for factor in self.scale_factors),
            f"scale_factors must lie in 0.01..100, not {self.scale_factors}.",
        )
        require(0 < self.mask_threshold < 1, f"mask_threshold must lie between 0 and 1, not {self.mask_threshold}.")
        require(0 <= self.nms_iou <= 1, f"nms_iou must lie in 0..1, not {self.nms_iou}.")
        require(self.blend_cells >= 0, f"blend_cells must not be negative, not {self.blend_cells}.")
        for name in ("confidence_weight", "overlap_penalty"):
            require_amount(name, getattr(self, name))
        for name in ("num_proposals", "num_ranked", "num_refined", "pre_nms"):
            count = getattr(self, name)
            require(0 < count <= 10**6, f"{name} must lie in 1..1000000, not {count}.")
        require(
            0 <= self.focus_threshold < 1,
            f"focus_threshold must be 0 or more and below 1, not {self.focus_threshold}.",
        )
        require(0 <= self.edge_samples <= 8, f"edge_samples must lie in 0..8, not {self.edge_samples}.")
        require(
            8 <= self.longer_side_limit <= LONGEST_SIDE,
            f"longer_side_limit must lie in 8..{LONGEST_SIDE} px, not {self.longer_side_limit}.",
        )
        require(self.min_area >= 0, f"min_area must not be negative, not {self.min_area}.")

    @property
    def post_nms(self) -> int:
        """Proposals that suppression leaves at most: `num_ranked`, but never fewer than `num_proposals`."""
        return min(max(self.num_proposals, self.num_ranked), self.pre_nms)

    def pyramid_hw(self, height: Any, width: Any) -> list[tuple[Any, Any]]:
        """Size of an image at each scale: integers or int64 tensors [px] -> as many pairs (height, width), alike."""
        relative = [relative_side(height, width, factor) for factor in self.scale_factors]
        return [resized_hw(height, width, side, self.longer_side_limit) for side in relative or self.shorter_sides]

    def most_pixels(self, max_pixels: int) -> int:
        """Pixels of the largest image to which one of at most `max_pixels` is resized [px]."""
        longest = self.longer_side_limit
        if self.scale_factors:
            return max(1, min(longest**2, round(max(self.scale_factors) ** 2 * max_pixels)))
        return longest * min(longest, max(self.shorter_sides))

    def changed(self, settings: dict[str, Any]) -> Self:
        """With other values of some fields, as `from_dict` takes them; new `shorter_sides` end old `scale_factors`."""
        ended = {"scale_factors": ()} if "shorter_sides" in settings else {}
        return self.from_dict({**self.to_dict(), **ended, **settings})


@dataclasses.dataclass(frozen=True)
class ShownConfig(Settings):
    """Which proposals of an image pictures and annotation formats show: the best ones that hardly overlap."""

    count: int = 20
    """At most so many [count]."""
    min_score: float = 0.3
    """Only of this score or more [0..1]."""
    max_overlap: float = 0.2
    """Two of them share at most this part of the smaller one [0..1]."""

    def __post_init__(self) -> None:
        require(self.count > 0, f"count (--distinct) must be positive, not {self.count}.")
        require(0 <= self.min_score <= 1, f"min_score must lie in 0..1, not {self.min_score}.")
        require(0 <= self.max_overlap <= 1, f"max_overlap must lie in 0..1, not {self.max_overlap}.")


@dataclasses.dataclass(frozen=True)
class PromptConfig(Settings):
    """Which proposals of an image are wanted at all; without any prompt all of them."""

    point: tuple[float, ...] = ()
    """Only masks that cover this point: y, x [px]."""
    box_yxyx: tuple[float, ...] = ()
    """Only masks that lie in this box: top, left, bottom, right [px]."""

    def __post_init__(self) -> None:
        point, box = self.point, self.box_yxyx
        require(
            len(point) in (0, 2) and all(0 <= value < math.inf for value in point),
            f"a point (--point) is Y,X, two numbers of pixels from 0 on, not {list(point)}.",
        )
        require(
            not box or (len(box) == 4 and box[0] < box[2] and box[1] < box[3]),
            f"a box (--box) is TOP,LEFT,BOTTOM,RIGHT with TOP < BOTTOM and LEFT < RIGHT, not {list(box)}.",
        )

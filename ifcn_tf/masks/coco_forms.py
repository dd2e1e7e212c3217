"""COCO's forms of a mask and a box, checked: the one place that understands them."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from ifcn_tf.masks.rle import OutsideError, Rle, from_polygons, from_run_lengths, whole_masks

#: Where no box is stated.
NO_BOX = (math.nan, math.nan, math.nan, math.nan)
#: What is said of run lengths that `are_whole` refuses.
DAMAGED = "its run lengths are damaged, they do not add up to the size of its image"


class UnusableError(ValueError):
    """An object that cannot be used; the message says why, after the name of the object.

    Attributes:
        kind: one of a few phrases, under which such objects are counted.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def read_masks(
    segmentations: Sequence[Any], size_hw: tuple[int, int], overhang: float | None = None
) -> list[Rle | UnusableError]:
    """The masks of one image, of which pycocotools may be asked anything; an error stands where there is none.

    Args:
        segmentations: as `compressed_counts` takes them; an empty one or None is no mask.
        size_hw: of the image [px].
        overhang: how far polygons may lie outside it [px]; by default its longer side.
    """
    found = [_counts_or_error(segmentation, size_hw, overhang) for segmentation in segmentations]
    masks = iter(whole_masks([item for item in found if isinstance(item, bytes)], size_hw))
    damaged = UnusableError("mask of another size", DAMAGED)
    return [next(masks) or damaged if isinstance(item, bytes) else item for item in found]


def _counts_or_error(segmentation: Any, size_hw: tuple[int, int], overhang: float | None) -> bytes | UnusableError:
    if not segmentation:
        return UnusableError("empty or one-pixel mask", "it has no segmentation, and without a mask it cannot be found")
    try:
        return compressed_counts(segmentation, size_hw, overhang)
    except UnusableError as error:
        return error


def compressed_counts(segmentation: Any, size_hw: tuple[int, int], overhang: float | None = None) -> bytes:
    """COCO's compressed run lengths of any form of segmentation; of those that are compressed already ask `are_whole`.

    Args:
        segmentation: {"size", "counts"} with counts compressed (text) or not (list), or a list of polygons.
        size_hw: of the image [px].
        overhang: how far polygons may lie outside it [px]; by default its longer side.

    Raises:
        UnusableError: another form, a mask of another size, or a polygon further outside.
    """
    try:
        if isinstance(segmentation, list):
            return _of_polygons(segmentation, size_hw, overhang)
        size, counts = tuple(segmentation["size"]), segmentation["counts"]
        if size == tuple(size_hw):
            return counts.encode("ascii") if isinstance(counts, str) else _of_runs(counts, size_hw)
    except UnusableError:
        raise
    except Exception as error:  # pycocotools raises bare Exception on forms that it does not know
        raise UnusableError("malformed mask", "its segmentation is neither run lengths nor polygons") from error
    mask, image = (" x ".join(map(str, sides)) for sides in (size, size_hw))
    raise UnusableError("mask of another size", f"its mask is {mask} (height x width), its image {image} upright")


def _of_polygons(polygons: list[list[float]], size_hw: tuple[int, int], overhang: float | None) -> bytes:
    try:
        return from_polygons(polygons, size_hw, max(size_hw) if overhang is None else overhang)["counts"].encode()
    except OutsideError as error:
        limit = "the image's longer side" if overhang is None else f"{overhang:g} px"
        reason = f"its polygon lies more than {limit} outside it ({error})"
        raise UnusableError("polygon outside the image", reason) from error


def _of_runs(runs: list[int], size_hw: tuple[int, int]) -> bytes:
    if not (all(run >= 0 and run % 1 == 0 for run in runs) and sum(runs) == math.prod(size_hw)):
        raise UnusableError("mask of another size", DAMAGED)
    return from_run_lengths(runs, size_hw)["counts"].encode()


def box_xywh(content: dict[str, Any]) -> tuple[float, float, float, float]:
    """The bbox of a result or annotation [px], NO_BOX without one; raises UnusableError if it is not four numbers."""
    box = content.get("bbox")
    if box is None:
        return NO_BOX
    if not (isinstance(box, list) and len(box) == 4 and are_finite(box)):
        reason = f"its bbox is {box!r}, four finite numbers (x, y, width, height) are needed"
        raise UnusableError("malformed annotation", reason)
    left, top, width, height = box
    return left, top, width, height


def are_finite(values: Sequence[Any]) -> bool:
    """Whether values are numbers that a float holds, none of them infinite or NaN."""
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
        for value in values
    )

"""COCO's forms of a mask and a box, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError
from ifcn_tf.masks.rle import OutsideError, from_polygons

NO_BOX = (math.nan,) * 4


def compressed_counts(where: str, segmentation: Any, size_hw: tuple[int, int]) -> bytes:
    """COCO's compressed run lengths of any form of segmentation.

    Args:
        where: what the error names.
        segmentation: {"size", "counts"} with counts compressed (text) or not (list), or a list of polygons.
        size_hw: of the image [px].

    Raises:
        UserError: another form, a mask of another size, or a polygon further outside than the image's longer side.
    """
    try:
        if isinstance(segmentation, list):
            return from_polygons(segmentation, size_hw, max(size_hw))["counts"].encode()
        size, counts = tuple(segmentation["size"]), segmentation["counts"]
        if size == tuple(size_hw):
            if isinstance(counts, str):
                return counts.encode("ascii")
            return coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size_hw)["counts"]
    except OutsideError as error:
        raise UserError(f"{where}: its polygon lies more than the image's longer side outside it ({error}).") from error
    except Exception as error:  # pycocotools raises bare Exception on forms that it does not know
        raise UserError(f"{where}: its segmentation is neither run lengths nor polygons.") from error
    raise UserError(
        f"{where}: its mask is {' x '.join(map(str, size))} (height x width), its image {size_hw[0]} x {size_hw[1]}."
    )


def box_xywh(where: str, content: dict[str, Any]) -> Sequence[float]:
    """The bbox of a result or annotation [px], NO_BOX without one; raises UserError if it is not four numbers."""
    box = content.get("bbox")
    if box is None:
        return NO_BOX
    if not (isinstance(box, list) and len(box) == 4 and _are_finite(box)):
        raise UserError(f"{where}: its bbox is {box!r}, four finite numbers (x, y, width, height) are needed.")
    return box


def _are_finite(values: Sequence[Any]) -> bool:
    return all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) for value in values
    )

"""The conventions of the whole project: pixels, cells, windows, scales.

* Row before column everywhere (`yx`, `hw`, `boxes_yxyx`), unless a file format says otherwise (COCO's `bbox_xywh`).
* Pixel (0, 0) covers [0, 1) x [0, 1); its centre is (0.5, 0.5). Boxes are half-open: [top, bottom) x [left, right).
* Cell (i, j) of a map of stride s covers pixels [s i, s i + s) x [s j, s j + s) of the resized image.
* A window (y, x) is named by its centre cell; a `WindowGrid` says what it covers. The paper's (stride 8, 21 cells)
  covers cells y - 10 .. y + 10 and x - 10 .. x + 10, that is the pixels [8 (y - 10), 8 (y + 11)) x
  [8 (x - 10), 8 (x + 11)) of the resized image: 168 px a side.

Functions that take integers use nothing but operators, so Python numbers, NumPy arrays and tensors all work.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np

#: Logit of a window's cell that lies outside the map: such a cell has no prediction and counts as background.
OUTSIDE_LOGIT = -1e4


@dataclasses.dataclass(frozen=True)
class WindowGrid:
    """The windows of a method, one at each cell of its map, and the grid on which their masks are predicted.

    The defaults are the paper's (section 3.3): m = 21 both for the window and for its mask.

    Attributes:
        stride: pixels of the resized image between neighbouring cells.
        window_cells: side of a window [cells]. Of an even number the centre is the cell after the middle.
        mask_cells: side of a window's mask [cells of the mask]; a whole number of them covers a stride.

    Raises:
        ValueError: the mask's cells do not lie evenly in the window and in the stride.
    """

    stride: int = 8
    window_cells: int = 21
    mask_cells: int = 21

    def __post_init__(self) -> None:
        if self.window_px % self.mask_cells or self.stride % self.mask_cell_px:
            raise ValueError(f"{self.mask_cells} cells of a mask do not divide a window of {self.window_px} px evenly.")

    @property
    def window_px(self) -> int:
        """Side of a window [px of the resized image]."""
        return self.window_cells * self.stride

    @property
    def mask_cell_px(self) -> int:
        """Side of a cell of a window's mask [px of the resized image]."""
        return self.window_px // self.mask_cells

    def map_hw(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Size of the map of an image [cells]: as many cells as are needed to cover it."""
        return -(-height // self.stride), -(-width // self.stride)

    def extent(self, windows: Any) -> tuple[Any, Any]:
        """Pixels that windows cover in the resized image; they may overhang it on every side.

        Args:
            windows: integers [..., 2], centre cells (y, x).

        Returns:
            (top_left, bottom_right), each [..., 2] in pixels (y, x), half-open.
        """
        top_left = (windows - self.window_cells // 2) * self.stride
        return top_left, top_left + self.window_px


def _minimum(a: Any, b: Any) -> Any:
    return (a + b - abs(a - b)) // 2


def _maximum(a: Any, b: Any) -> Any:
    return (a + b + abs(a - b)) // 2


def relative_side(height: Any, width: Any, factor: float) -> Any:
    """Shorter side of an image times a factor, for `resized_hw`.

    Args:
        height, width: size of the image [px], integers, at least 1.
        factor: above 0, taken as the nearest fraction with a denominator of up to a million.

    Returns:
        An integer [px], rounded half up, at least 1.
    """
    shorter, share = _minimum(height, width), Fraction(factor).limit_denominator(10**6)
    return _maximum((2 * shorter * share.numerator + share.denominator) // (2 * share.denominator), 1)


def resized_hw(height: Any, width: Any, shorter_side: int, longer_side_limit: int) -> tuple[Any, Any]:
    """Size of an image after its shorter side was brought to `shorter_side`, keeping its aspect ratio.

    Args:
        height, width: size of the original [px], integers, at least 1.
        shorter_side: wanted shorter side [px].
        longer_side_limit: the scale is lowered where the longer side would exceed this [px].

    Returns:
        (height, width) of the resized image [px], rounded half up, at least 1.
    """
    shorter, longer = _minimum(height, width), _maximum(height, width)
    wanted, over = shorter_side * longer, longer_side_limit * shorter
    # Both sides are multiplied by numerator / denominator, in integers: shorter_side / shorter or limit / longer.
    fits = 1 - _minimum(_maximum(wanted - over, 0), 1)
    numerator = fits * shorter_side + (1 - fits) * longer_side_limit
    denominator = fits * shorter + (1 - fits) * longer

    def scaled(side: Any) -> Any:
        return _maximum((2 * side * numerator + denominator) // (2 * denominator), 1)

    return scaled(height), scaled(width)


def position_bins(k: int, cells: int) -> np.ndarray:
    """Relative position of each cell along one axis of a window: bin(i) = floor(i * k / m) (section 3.1).

    Returns:
        int [cells], values 0 .. k - 1. Widths are 7, 7, 7 for k = 3; 5, 4, 4, 4, 4 for k = 5; 3 each for k = 7.
    """
    return np.arange(cells) * k // cells


def blended_bins(k: int, cells: int, radius: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Relative positions with soft borders: what the bins of the cells up to `radius` away are, and how often.

    For a radius that spans two bins at most: 2 radius + 1 <= cells // k (`InstanceFCNConfig.require_fitting`).

    Returns:
        One or two pairs (bins int [cells], shares float32 [cells]); the shares of a cell sum to 1. Cells farther than
        `radius` from a border have their `position_bins` alone.
    """
    around = np.clip(np.arange(cells) + np.arange(-radius, radius + 1)[:, None], 0, cells - 1)
    nearby = position_bins(k, cells)[around]  # [2 radius + 1, cells]
    first, last = nearby.min(0), nearby.max(0)
    share = (nearby == last).mean(0).astype(np.float32)
    return [(last, share)] + ([(first, 1 - share)] if radius else [])

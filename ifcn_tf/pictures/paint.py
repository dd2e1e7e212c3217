"""Masks over a photograph: the one way to fill and to outline them."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from scipy import ndimage

_FILL_OPACITY = 0.45
_GOLDEN_RATIO = 0.618034
#: Outlines are one pixel wide on an image of up to this side [px].
_SIDE_PER_LINE = 350


class Canvas:
    """A photograph that masks, bool [H, W], are painted on, one over the other.

    Args:
        image: uint8 [H, W, 3], RGB.
    """

    def __init__(self, image: np.ndarray) -> None:
        self._pixels = image.astype(np.float32)
        self._line = max(1, round(typical_side(image.shape[:2]) / _SIDE_PER_LINE))

    def paint(self, mask: np.ndarray, colour: np.ndarray) -> None:
        """Fills a mask with a colour, RGB in 0..255, that the photograph shines through, and outlines it."""
        self._pixels[mask] += _FILL_OPACITY * (colour - self._pixels[mask])
        self.outline(mask, colour)

    def outline(self, mask: np.ndarray, colour: np.ndarray) -> None:
        """Draws the outermost pixels of a mask."""
        self._pixels[mask & ~ndimage.binary_erosion(mask, iterations=self._line)] = colour

    def image(self) -> np.ndarray:
        """The picture, uint8 [H, W, 3]."""
        return self._pixels.round().astype(np.uint8)


def palette(count: int) -> np.ndarray:
    """Distinct colours, float [count, 3] RGB in 0..255: hues that follow the golden ratio are never close in a row."""
    hues = (0.58 + _GOLDEN_RATIO * np.arange(count)) % 1
    return np.array([colorsys.hsv_to_rgb(hue, 0.75, 1.0) for hue in hues]).reshape(-1, 3) * 255


def typical_side(size: tuple[int, ...]) -> float:
    """The side of a square of the same area [px]: what lines and letters are scaled by."""
    return math.sqrt(size[0] * size[1])

"""Proposals that find an object, painted, and objects that none finds, outlined (figures 8 and 9)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ifcn_tf.pictures.proposals import palette

_RED = np.array([255, 0, 0])


_OPACITY = 0.5


def draw(image: np.ndarray, found: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Paints proposals over a photograph and outlines missed objects in red.

    Args:
        image: uint8 [H, W, 3], RGB.
        found: bool [n, H, W], proposals; large ones are painted first, so that small ones stay visible.
        missed: bool [m, H, W], objects.

    Returns:
        uint8 [H, W, 3].
    """
    canvas = image.astype(np.float32)
    width = max(1, round(max(image.shape[:2]) / 300))
    colours = _colours(len(found))
    for i in np.argsort(-found.sum((1, 2)), kind="stable"):
        canvas[found[i]] += _OPACITY * (colours[i] - canvas[found[i]])
        canvas[_outline(found[i], max(1, width // 2))] = colours[i]
    for mask in missed:
        canvas[_outline(mask, width)] = _RED
    return canvas.round().astype(np.uint8)


def _colours(count: int) -> np.ndarray:
    """Distinct colours without reds, which mean "missed": float [count, 3]."""
    colours = palette(2 * count + 4)
    return colours[colours[:, 1:].max(1) > 150][:count]


def _outline(mask: np.ndarray, width: int) -> np.ndarray:
    """The outermost pixels of a mask, `width` px wide."""
    return mask & ~ndimage.binary_erosion(mask, iterations=width)

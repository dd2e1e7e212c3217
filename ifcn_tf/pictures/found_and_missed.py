"""Proposals that find an object, painted, and objects that none finds, outlined (figures 8 and 9)."""

from __future__ import annotations

import numpy as np

from ifcn_tf.pictures.paint import Canvas, palette

_RED = np.array([255, 0, 0])


def draw(image: np.ndarray, found: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Paints proposals over a photograph and outlines missed objects in red.

    Args:
        image: uint8 [H, W, 3], RGB.
        found: bool [n, H, W], proposals; large ones are painted first, so that small ones stay visible.
        missed: bool [m, H, W], objects.

    Returns:
        uint8 [H, W, 3].
    """
    canvas, colours = Canvas(image), _colours(len(found))
    for i in np.argsort(-found.sum((1, 2)), kind="stable"):
        canvas.paint(found[i], colours[i])
    for mask in missed:
        canvas.outline(mask, _RED)
    return canvas.image()


def _colours(count: int) -> np.ndarray:
    """Distinct colours without reds, which mean "missed": float [count, 3]."""
    colours = palette(2 * count + 4)
    return colours[colours[:, 1:].max(1) > 150][:count]

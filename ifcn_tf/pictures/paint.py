"""Masks over a photograph: the one way to fill and to outline them, and colours that tell them apart."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from scipy import ndimage

_FILL_OPACITY = 0.45
_GOLDEN_RATIO = 0.618034
#: Saturation and value of colours in turn: of equal hues the others differ.
_TONES = ((0.75, 1.0), (1.0, 0.85), (0.5, 1.0))
#: Outlines are one pixel wide on an image of up to this side [px].
_SIDE_PER_LINE = 250
#: The rim around an outline: what is left of the photograph's brightness.
_RIM = 0.25
#: Colours to choose from for each mask.
_CHOICES = 30
#: What a difference in lightness counts beside one in hue, which a fill shows better.
_LIGHTNESS = 0.5
#: Colours of this distance are far enough from each other.
_FAR = 0.25
#: RGB, linear, to the responses of the eye's cones, and the cube roots of these to lightness and two hues (OKLab,
#: Ottosson 2020).
_CONES = np.array(
    [
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    ]
)
_OPPONENTS = np.array(
    [
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    ]
)


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
        """Draws the outermost pixels of a mask, and a dark rim of half their width around them.

        The line is seen on dark ground, the rim on bright ground.
        """
        part = _around(mask, self._line)
        pixels, mask = self._pixels[part], mask[part]
        rim = ndimage.binary_dilation(mask, iterations=math.ceil(self._line / 2))
        pixels[rim & ~mask] *= _RIM
        pixels[mask & ~ndimage.binary_erosion(mask, iterations=self._line)] = colour

    def image(self) -> np.ndarray:
        """The picture, uint8 [H, W, 3]."""
        return self._pixels.round().astype(np.uint8)


def _around(mask: np.ndarray, margin: int) -> tuple[slice, ...]:
    """The part of a picture [H, W] that a mask fills, with a margin; empty where the mask is."""
    sides = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    return tuple(slice(max(0, side[0] - margin), side[-1] + 1 + margin) if len(side) else slice(0) for side in sides)


def palette(count: int) -> np.ndarray:
    """Distinct colours, float [count, 3] RGB in 0..255: hues that follow the golden ratio are never close in a row."""
    hues = (0.58 + _GOLDEN_RATIO * np.arange(count)) % 1
    colours = [colorsys.hsv_to_rgb(hue, *_TONES[i % len(_TONES)]) for i, hue in enumerate(hues)]
    return np.array(colours).reshape(-1, 3) * 255


def colours_apart(boxes_yxyx: np.ndarray, grounds: np.ndarray) -> np.ndarray:
    """Colours by which masks are told apart, and seen: neighbours' are far from each other and from the photograph's.

    Each mask in turn takes the colour whose nearest other one, weighted by how near its mask is, is farthest away, or
    the first of the palette that is far enough.

    Args:
        boxes_yxyx: float [n, 4], tight boxes of the masks [px].
        grounds: float [n, 3], the mean colour of the photograph in each, RGB in 0..255.

    Returns:
        Float [n, 3], RGB in 0..255.
    """
    choices = palette(max(_CHOICES, len(boxes_yxyx)))
    distances = _distances(choices, choices)
    seen = _distances(choices, grounds)
    extent, chosen = 1 + boxes_yxyx.max(initial=0), list[int]()
    for i, box in enumerate(boxes_yxyx):
        others = boxes_yxyx[:i]
        gaps = np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:]).max(1).clip(0)
        from_others = (distances[:, chosen] * (1 + gaps / extent) ** 2).min(1, initial=np.inf)
        chosen.append(int(np.minimum(from_others, seen[:, i]).clip(max=_FAR).argmax()))
    return choices[chosen]


def _distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How different colours look, float [n, m]: the distance in OKLab of colours, RGB in 0..255 [n, 3] and [m, 3]."""
    pairs = [
        np.cbrt((colours / 255) ** 2.2 @ _CONES.T) @ _OPPONENTS.T * (_LIGHTNESS, 1, 1) for colours in (ones, others)
    ]
    return np.linalg.norm(pairs[0][:, None] - pairs[1][None], axis=2)


def typical_side(size: tuple[int, ...]) -> float:
    """The side of a square of the same area [px]: what lines and letters are scaled by."""
    return math.sqrt(size[0] * size[1])

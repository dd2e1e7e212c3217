"""Masks as polygons: outlines half-way between the pixels inside and outside, of as few points as asked for."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Sequence
from types import ModuleType

import contourpy
import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.masks.rle import Rle, within_box

#: A closed line through (x, y) points [px], float64 [n, 2]; the first point is not repeated.
Ring = np.ndarray
#: One connected part of a mask: its outer border, then those of its holes, which run the other way round.
Part = list[Ring]

#: Fewer points may change this share of a part's area at most, whatever distance they may keep.
_LARGEST_CHANGE = 0.015


def outlines(rle: Rle, tolerance: float = 0.0) -> list[Part]:
    """The connected parts of a mask, of which no two share an edge of a pixel.

    Args:
        rle: the mask.
        tolerance: largest distance between the polygon and the mask's outline [px]. At 0 only points on a line are
            left out. More are left out by Douglas and Peucker's rule, fewer where a small part would lose its form.

    Raises:
        UserError: `tolerance` is not 0 and Shapely is not installed.
    """
    left_top, mask = within_box(rle)
    generator = contourpy.contour_generator(z=np.pad(mask.astype(float), 1), fill_type=contourpy.FillType.OuterOffset)
    # contourpy puts a value at its index; pixel i of the cut, index i + 1 here, has its centre at i + 0.5.
    origin = np.array(left_top) - 0.5
    parts = [
        [_without_points_on_lines(points[start : stop - 1] + origin) for start, stop in itertools.pairwise(bounds)]
        for points, bounds in zip(*generator.filled(0.5, np.inf), strict=True)
    ]
    return [_simplified(part, tolerance) for part in parts] if tolerance else parts


def slit(rings: Sequence[Ring]) -> Ring:
    """One ring of the same area: each ring is joined to those before it, there and back, where they are nearest."""
    joined, *others = rings
    for ring in others:
        distances = np.linalg.norm(joined[:, None] - ring[None], axis=2)
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        joined = np.concatenate([joined[: i + 1], ring[j:], ring[: j + 1], joined[i:]])
    return joined


def _without_points_on_lines(ring: Ring) -> Ring:
    """Coordinates are multiples of a half, so a point between two others is on their line exactly."""
    (x_in, y_in), (x_out, y_out) = (ring - np.roll(ring, 1, 0)).T, (np.roll(ring, -1, 0) - ring).T
    return ring[x_in * y_out != y_in * x_out]


def simplifier() -> ModuleType:
    """Shapely, which leaves out points; raises UserError where it is not installed."""
    try:
        return importlib.import_module("shapely")
    except ImportError as error:
        raise UserError("--simplify needs Shapely: pip install 'ifcn-tf[polygons]', or leave it out.") from error


def _simplified(part: Part, tolerance: float) -> Part:
    polygon = simplifier().Polygon(part[0], part[1:])
    while (simpler := polygon.simplify(tolerance)).symmetric_difference(polygon).area > _LARGEST_CHANGE * polygon.area:
        tolerance *= 0.75
    return [np.asarray(ring.coords)[:-1] for ring in (simpler.exterior, *simpler.interiors)]

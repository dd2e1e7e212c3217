"""Outlines: what they enclose, by a rasterizer that nobody here wrote, and how few points they need."""

import itertools
import sys

import numpy as np
import pytest
from scipy import ndimage

from ifcn_tf.common.files import UserError
from ifcn_tf.masks.outlines import outlines, slit
from ifcn_tf.masks.rle import encode
from tests.support.polygons import blob, filled, iou


def ring_and_square():
    """6 x 6 px with a hole of 2 x 2, and a square of 2 x 2 apart from it."""
    mask = np.zeros((12, 14), bool)
    mask[1:7, 1:7] = mask[8:10, 8:10] = True
    mask[3:5, 3:5] = False
    return mask


def area(ring):
    """Of a ring that runs with the clock where y points down (Gauss's formula), else its negative."""
    (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, 0).T
    return (x * next_y - next_x * y).sum() / 2


def test_parts_and_holes_by_hand():
    """Corners are cut, half a pixel from either side: eight points each, on the edges of pixels."""
    (outer, hole), (apart,) = sorted(outlines(encode(ring_and_square())), key=len, reverse=True)
    for ring, low, high in ((outer, 1, 7), (hole, 3, 5), (apart, 8, 10)):
        assert (ring.min(), ring.max(), len(ring)) == (low, high, 8)
    assert (area(outer), area(hole), area(apart)) == (35.5, -3.5, 3.5)


@pytest.mark.parametrize("mask", [ring_and_square(), *map(blob, range(4)), np.ones((3, 5), bool)])
def test_outlines_enclose_exactly_the_mask(mask):
    parts = outlines(encode(mask))
    assert len(parts) == ndimage.label(mask)[1]
    np.testing.assert_array_equal(filled(itertools.chain(*parts), mask.shape), mask)


@pytest.mark.parametrize("mask", [ring_and_square(), *map(blob, range(4))])
def test_no_point_lies_on_a_line(mask):
    for ring in itertools.chain(*outlines(encode(mask))):
        before, after = ring - np.roll(ring, 1, 0), np.roll(ring, -1, 0) - ring
        assert np.all(before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0])


@pytest.mark.parametrize("mask", [ring_and_square(), *map(blob, range(4))])
def test_a_slit_changes_no_area(mask):
    """Holes run the other way round than outer borders, so that their areas count as negative."""
    parts = outlines(encode(mask))
    for rings in (*parts, list(itertools.chain(*parts))):
        assert area(slit(rings)) == pytest.approx(sum(map(area, rings)))
        assert len(slit(rings)) == sum(map(len, rings)) + 2 * (len(rings) - 1)
    assert all(area(outer) > 0 and all(area(hole) < 0 for hole in holes) for outer, *holes in parts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tolerance", [1.0, 3.0])
def test_fewer_points_stay_near_and_keep_the_mask(seed, tolerance):
    shapely = pytest.importorskip("shapely", reason="the extra `polygons` is not installed")
    mask = blob(seed, 60 + 40 * seed)
    exact, simple = outlines(encode(mask)), outlines(encode(mask), tolerance)
    assert [len(part) for part in simple] == [len(part) for part in exact]
    for before, after in zip(itertools.chain(*exact), itertools.chain(*simple), strict=True):
        distance = shapely.hausdorff_distance(shapely.LinearRing(before), shapely.LinearRing(after), densify=0.05)
        assert distance <= tolerance + 1e-9
    assert iou(filled(itertools.chain(*simple), mask.shape), mask) >= 0.98
    assert sum(map(len, itertools.chain(*simple))) <= sum(map(len, itertools.chain(*exact)))


def test_a_large_disc_needs_few_points():
    """Chords that stay within 1 px of a circle of radius r are up to 2 sqrt(2 r) long: here 2 pi 200 / 40 = 31."""
    pytest.importorskip("shapely", reason="the extra `polygons` is not installed")
    y, x = np.mgrid[:420, :420] + 0.5
    disc = encode(np.hypot(y - 210, x - 210) < 200)
    assert len(outlines(disc)[0][0]) > 400
    assert 31 <= len(outlines(disc, 1.0)[0][0]) < 70


def test_without_shapely_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(UserError, match=r"ifcn-tf\[polygons\]"):
        outlines(encode(ring_and_square()), 1.0)

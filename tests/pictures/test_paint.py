"""Masks on a photograph, by hand."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from scipy import ndimage

from ifcn_tf.pictures.paint import Canvas, colours_apart, palette
from ifcn_tf.pictures.proposals import tile

RED = np.array([255, 0, 0])


def rectangle(size_hw, top, left, height, width):
    mask = np.zeros(size_hw, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_a_mask_is_filled_and_outlined():
    canvas = Canvas(np.full((30, 40, 3), 100, np.uint8))
    mask = rectangle((30, 40), 5, 6, 10, 20)
    canvas.paint(mask, RED)
    picture = canvas.image()
    assert picture.dtype == np.uint8
    rim = ndimage.binary_dilation(mask) & ~mask
    assert (picture[rim] == 25).all() and (picture[~mask & ~rim] == 100).all()
    inner = rectangle((30, 40), 6, 7, 8, 18)
    assert (picture[mask & ~inner] == RED).all()
    assert (picture[inner] == [170, 55, 55]).all()  # 100 + .45 (255 - 100) = 169.75, 100 - 45 = 55


def test_an_outline_alone_leaves_the_inside():
    canvas = Canvas(np.full((700, 700, 3), 80, np.uint8))  # three pixels wide from 625 px on, and a rim of two
    mask = rectangle((700, 700), 0, 100, 50, 60)
    canvas.outline(mask, RED)
    picture = canvas.image()
    inner = rectangle((700, 700), 3, 103, 44, 54)
    assert ((picture == RED).all(-1) == mask & ~inner).all()
    assert ((picture == 20).all(-1) == ndimage.binary_dilation(mask, iterations=2) & ~mask).all()
    assert (picture[inner] == 80).all()


def test_an_empty_mask_leaves_the_photograph():
    canvas = Canvas(np.full((5, 6, 3), 80, np.uint8))
    canvas.paint(np.zeros((5, 6), bool), RED)
    assert (canvas.image() == 80).all()


def test_the_last_mask_lies_on_top():
    canvas = Canvas(np.zeros((9, 9, 3), np.uint8))
    for colour in ([0, 200, 0], [0, 0, 200]):
        canvas.paint(rectangle((9, 9), 1, 1, 7, 7), np.array(colour))
    # .45 of green; of that .55 stays, under .45 of blue.
    assert canvas.image()[4, 4].tolist() == [0, round(200 * 0.45 * 0.55), 200 * 0.45]


def test_no_two_colours_in_a_row_are_alike():
    colours = palette(30)
    assert colours.shape == (30, 3) and colours.max() <= 255
    assert np.linalg.norm(np.diff(colours, axis=0), axis=1).min() > 100
    assert palette(0).shape == (0, 3)


def test_pictures_that_leave_a_row_unfinished_stand_on_white():
    sheet = tile([np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)], 2)
    assert sheet.shape == (2 * 5, 2 * 7, 3)  # each below and to the right of a line of one pixel
    assert (sheet[6:, 1:7] == 30).all() and (sheet[5:, 7:] == 255).all()


def test_of_twenty_masks_no_two_look_alike_and_neighbours_least():
    corners = np.array([(30 * i, 30 * j) for i in range(4) for j in range(5)], float)
    boxes = np.concatenate([corners, corners + 29], 1)[np.random.default_rng(0).permutation(20)]
    colours = colours_apart(boxes, np.full((20, 3), 128.0))
    assert len(np.unique(colours, axis=0)) == 20
    gaps = np.maximum(boxes[:, None, :2] - boxes[None, :, 2:], boxes[None, :, :2] - boxes[:, None, 2:]).max(2)
    touching = np.triu(gaps > 0, 1) & np.triu(gaps < 2, 1)
    differences = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert differences[touching].min() > 60
    assert differences[touching].mean() > differences[np.triu(gaps > 50, 1)].mean()


@pytest.mark.parametrize(("ground", "hue"), [((40, 160, 50), 124), ((200, 60, 40), 8), ((60, 90, 200), 227)])
def test_a_mask_does_not_have_the_colour_of_the_photograph(ground, hue):
    (colour,) = colours_apart(np.array([[0.0, 0, 9, 9]]), np.array([ground], float))
    found = 360 * colorsys.rgb_to_hsv(*colour / 255)[0]
    assert abs((found - hue + 180) % 360 - 180) > 75


def test_there_are_colours_for_any_number_of_masks():
    assert colours_apart(np.zeros((0, 4)), np.zeros((0, 3))).shape == (0, 3)
    assert colours_apart(np.tile([0.0, 0, 9, 9], (50, 1)), np.zeros((50, 3))).shape == (50, 3)

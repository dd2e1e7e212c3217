"""Masks on a photograph, by hand."""

from __future__ import annotations

import numpy as np

from ifcn_tf.pictures.paint import Canvas, palette
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
    assert (picture[~mask] == 100).all()
    inner = rectangle((30, 40), 6, 7, 8, 18)
    assert (picture[mask & ~inner] == RED).all()
    assert (picture[inner] == [170, 55, 55]).all()  # 100 + .45 (255 - 100) = 169.75, 100 - 45 = 55


def test_an_outline_alone_leaves_the_inside():
    canvas = Canvas(np.zeros((700, 700, 3), np.uint8))  # two pixels wide from 525 px on
    canvas.outline(rectangle((700, 700), 100, 100, 50, 60), RED)
    red = (canvas.image() == RED).all(-1)
    assert (red == rectangle((700, 700), 100, 100, 50, 60) & ~rectangle((700, 700), 102, 102, 46, 56)).all()


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

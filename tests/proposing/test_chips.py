"""Which part of a finer scale is looked at, against all rectangles tried one by one, and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.geometry import WindowGrid
from ifcn_tf.proposing.chips import blocks_of, chip_of, densest


def rectangles(shape):
    rows, columns = (list(itertools.combinations(range(size + 1), 2)) for size in shape)
    return [(top, left, bottom, right) for (top, bottom), (left, right) in itertools.product(rows, columns)]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (6, 4)])
@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_no_rectangle_holds_more_for_its_area(shape, threshold):
    heat = np.random.default_rng(0).random(shape).astype(np.float32) ** 2
    gains = {
        (top, left, bottom, right): (heat[top:bottom, left:right] - threshold).sum()
        for top, left, bottom, right in rectangles(shape)
    }
    (top, left), (bottom, right) = densest(tf.constant(heat), threshold).numpy()
    assert gains[top, left, bottom, right] == pytest.approx(max(gains.values()), abs=1e-5)


def test_where_nothing_is_expected_it_is_the_hottest_block():
    heat = np.full((4, 3), 0.01, np.float32)
    heat[2, 1] = 0.02
    np.testing.assert_array_equal(densest(tf.constant(heat), 0.5), [[2, 1], [3, 2]])


def test_two_places_are_one_rectangle_where_what_lies_between_is_worth_it():
    heat = np.zeros((1, 5), np.float32)
    heat[0, [0, 3]] = 0.6, 0.9
    np.testing.assert_array_equal(densest(tf.constant(heat), 0.1), [[0, 0], [1, 4]])
    np.testing.assert_array_equal(densest(tf.constant(heat), 0.3), [[0, 3], [1, 4]])


def test_blocks_are_means_of_the_cells_that_there_are():
    heat = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(blocks_of(tf.constant(heat))[..., 0], [[2, 3.5], [6.5, 8]])


def test_a_chip_by_hand():
    """Of 600 x 800 px seen, 1350 x 1800 px: 2.25 times, 32 px a block, 169 x 225 cells of 8 px."""
    chip = chip_of(tf.constant([[2, 10], [5, 25]]), tf.constant([600, 800]), tf.constant([1350, 1800]), WindowGrid())
    np.testing.assert_array_equal(chip.first, [2 * 4 * 2.25, 10 * 4 * 2.25])
    np.testing.assert_array_equal(chip.end, [5 * 4 * 2.25, 25 * 4 * 2.25])
    np.testing.assert_array_equal(chip.origin, [4, 76])  # 12 cells before, and a multiple of 4
    np.testing.assert_array_equal(chip.pixels, [4 * 8, 76 * 8])
    np.testing.assert_array_equal(chip.pixels_end, [(45 + 12) * 8, 1800])


def test_blocks_that_cover_an_image_show_all_of_it():
    for height, width in ((1350, 1800), (901, 1203), (2700, 1350)):
        finer, seen = tf.constant([height, width]), tf.constant([height * 4 // 9, width * 4 // 9])
        blocks = tf.stack([tf.zeros(2, tf.int32), -(-seen // 32)])
        chip = chip_of(blocks, seen, finer, WindowGrid())
        np.testing.assert_array_equal(chip.origin, [0, 0])
        np.testing.assert_array_equal(chip.first, [0, 0])
        np.testing.assert_array_equal(chip.end, [-(-height // 8), -(-width // 8)])
        np.testing.assert_array_equal(chip.pixels_end, [height, width])

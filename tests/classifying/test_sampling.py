"""Window masks in other places."""

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.classifying.sampling import roi_masks, sampled
from ifcn_tf.geometry import OUTSIDE_LOGIT
from ifcn_tf.masks.paste import crop, paste
from ifcn_tf.masks.rle import decode

SIZE = tf.constant([100, 120])
WINDOW = np.array([[10, 20, 52, 83]], np.float32)
MAPS = np.random.default_rng(0).normal(size=(1, 21, 21)).astype(np.float32)


def test_the_cells_of_its_own_window_are_the_map():
    np.testing.assert_allclose(sampled(MAPS, WINDOW, WINDOW, 21, SIZE), MAPS, atol=1e-4)


def test_a_ramp_is_continued_in_any_box_within():
    ramp = np.tile(np.arange(21, dtype=np.float32)[:, None], 21)[None]  # 2 px a row of cells
    box = np.array([[20, 30, 34, 60]], np.float32)
    found = sampled(ramp, WINDOW, box, 7, SIZE)[0]
    rows = (20 + 14 * (np.arange(7) + 0.5) / 7 - 10) / 2 - 0.5
    np.testing.assert_allclose(found, np.tile(rows[:, None], 7), atol=1e-4)


def test_beyond_the_image_the_nearest_cell_holds():
    """A window that begins 4 px before the image, with cells of 2 px: two of them have no value."""
    maps = np.full((1, 6, 6), 3.0, np.float32)
    maps[:, :2] = OUTSIDE_LOGIT
    found = sampled(maps, np.array([[-4, 0, 8, 12]], np.float32), np.array([[0, 0, 4, 12]], np.float32), 8, SIZE)
    np.testing.assert_allclose(found, 3.0, rtol=1e-6)


def test_beyond_a_window_that_counts_alone_is_nothing():
    box = np.array([[0, 20, 20, 40]], np.float32)
    found = sampled(np.ones_like(MAPS), WINDOW, box, 4, SIZE, alone=True)[0]  # rows around 2.5, 7.5, 12.5, 17.5
    np.testing.assert_allclose(found, np.tile([[0], [0], [1], [1]], 4), atol=1e-6)


def test_shares_of_a_mask_are_those_of_its_pixels():
    """The mask at image size, cut by the same box, covers as much of each cell, up to what 2 x 2 samples tell."""
    smooth = np.array(tf.image.resize(np.random.default_rng(1).normal(size=(5, 5, 1)), (21, 21)))[None, ..., 0]
    window, box = np.array([[100.0, 150, 520, 570]]), np.array([[130.0, 200, 480, 550]])
    mask = decode(paste(smooth, window, (600, 600), 0.5), (600, 600))[0]
    found = roi_masks(tf.constant(smooth), tf.constant(window, tf.float32), tf.constant(box, tf.float32), [600, 600], 0)
    expected = crop(mask, box[0], 14)
    assert 0.2 < expected.mean() < 0.8
    assert np.abs(found[0] - expected).mean() < 0.02


@pytest.mark.parametrize("count", [0, 3])
def test_any_number_of_masks(count):
    boxes = tf.tile(tf.constant(WINDOW), [count, 1])
    assert roi_masks(tf.tile(tf.constant(MAPS), [count, 1, 1]), boxes, boxes, SIZE, 0.0).shape == (count, 14, 14)

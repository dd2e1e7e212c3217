"""Laws of what boxes and masks hold of a map."""

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.models.mask_classifier.rois import RoiFeatures, refined, refinements, warp
from ifcn_tf.models.trunks.trunk import trunk_of

SEED = np.random.default_rng(0)
MAP = SEED.uniform(size=(1, 12, 15, 3)).astype(np.float32)
BOXES = np.array([[[20, 33, 90, 100], [0, 0, 192, 240], [50, 60, 51, 61]]], np.float32)
MASKS = SEED.uniform(size=(1, 3, 14, 14)).astype(np.float32)


def ramp(height, width):
    """Each cell's own row and column."""
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)[None].astype(np.float32)


@pytest.mark.parametrize("box", [(0.0, 0.0, 7.0, 14.0), (2.25, 1.5, 3.0, 9.7)])
def test_a_ramp_is_its_own_value_at_the_centre_of_each_cell(box):
    top, left, bottom, right = box
    values = warp(ramp(9, 16), tf.constant([box]), tf.constant([0]))[0]
    steps = (np.arange(14) + 0.5) / 14
    np.testing.assert_allclose(values[..., 0], np.tile((top + (bottom - top) * steps)[:, None], 14), atol=1e-5)
    np.testing.assert_allclose(values[..., 1], np.tile(left + (right - left) * steps, (14, 1)), atol=1e-5)


def test_beyond_the_outermost_centres_the_nearest_cell_holds():
    values = warp(ramp(4, 4), tf.constant([[-0.5, -0.5, 3.5, 3.5]]), tf.constant([0])).numpy()[0, ..., 0]
    np.testing.assert_array_equal(values[[0, -1]], np.tile([[0.0], [3.0]], 14))
    assert (np.diff(values, axis=0) >= 0).all()


@pytest.mark.parametrize(("stride", "first"), [(16, 8.0), (16, 15.5)])
def test_values_lie_where_the_map_says(stride, first):
    """On a ramp of the pixel that each cell is centred on, 7 x 7 maxima are the lower ones of each pair of centres."""
    box = np.array([[[40, 60, 124, 200]]], np.float32)
    pixels = first + stride * ramp(12, 15)
    whole, _ = RoiFeatures(stride, first)(pixels, box, np.ones((1, 1, 14, 14), np.float32))
    last_of_pairs = 40 + 84 * (np.arange(7) * 2 + 1.5) / 14
    np.testing.assert_allclose(np.reshape(whole, (7, 7, 2))[..., 0], np.tile(last_of_pairs[:, None], 7), rtol=1e-5)


def test_a_mask_of_ones_makes_both_paths_equal_and_an_empty_one_leaves_nothing():
    layer = RoiFeatures(16, 8.0)
    whole, masked = layer(MAP, BOXES, np.ones_like(MASKS))
    np.testing.assert_array_equal(whole, masked)
    np.testing.assert_array_equal(layer(MAP, BOXES, np.zeros_like(MASKS))[1], np.zeros_like(whole))
    half = np.where(np.arange(14) < 6, 1.0, 0.0).astype(np.float32) * np.ones_like(MASKS)
    values = np.reshape(layer(MAP, BOXES, half)[1], (3, 7, 7, 3))
    np.testing.assert_array_equal(values[:, :, :3], np.reshape(whole, (3, 7, 7, 3))[:, :, :3])
    assert not values[:, :, 3:].any()


def test_a_shift_of_map_and_boxes_changes_nothing():
    layer = RoiFeatures(16, 8.0)
    shifted = np.pad(MAP, ((0, 0), (1, 0), (2, 0), (0, 0)))
    inner = BOXES[:, :1]
    moved = inner + np.array([16, 32, 16, 32], np.float32)
    for here, there in zip(layer(MAP, inner, MASKS[:, :1]), layer(shifted, moved, MASKS[:, :1]), strict=True):
        np.testing.assert_allclose(here, there, atol=1e-5)


def test_images_of_a_batch_keep_to_their_own_maps():
    maps = np.concatenate([MAP, MAP[:, ::-1]])
    both = RoiFeatures(16, 8.0)(maps, np.tile(BOXES, (2, 1, 1)), np.tile(MASKS, (2, 1, 1, 1)))[1]
    for number in range(2):
        alone = RoiFeatures(16, 8.0)(maps[number : number + 1], BOXES, MASKS)[1]
        np.testing.assert_array_equal(both[number], alone[0])


def test_no_region_gives_nothing():
    layer = RoiFeatures(16, 8.0)
    assert layer(MAP, BOXES[:, :0], MASKS[:, :0])[0].shape == (1, 0, 49 * 3)


def test_refinements_lead_from_one_box_to_another():
    boxes, wanted = np.array([[10.0, 20, 30, 60], [0, 0, 8, 8]]), np.array([[12.0, 10, 52, 90], [0, 0, 8, 8]])
    boxes, wanted = boxes.astype(np.float32), wanted.astype(np.float32)
    values = refinements(boxes, wanted).numpy()
    # The centre moves from (20, 40) to (32, 50), the sides 20 and 40 become 40 and 80.
    expected = [12 / 20 / 0.1, 10 / 40 / 0.1, np.log(2) / 0.2, np.log(2) / 0.2]
    np.testing.assert_allclose(values, [expected, [0, 0, 0, 0]], rtol=1e-5)
    np.testing.assert_allclose(refined(boxes, values), wanted, rtol=1e-5, atol=1e-4)
    assert np.isfinite(refined(boxes, np.full((2, 4), 1e6, np.float32))).all()


@pytest.mark.parametrize("stride", [8, 16])
def test_a_trunk_says_where_its_features_lie(stride):
    assert trunk_of("vgg16").first(stride) == stride / 2
    assert trunk_of("efficientnet_lite2").first(stride) == stride - 0.5

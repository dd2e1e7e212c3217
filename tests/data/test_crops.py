"""Crops by hand, on DeepMask's grid: windows of 224 px around cells of 16 px, objects of 128 px."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.config.network import DeepMaskConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.crops import canonical_sides, draw_crop
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.targets import mask_targets
from ifcn_tf.data.views import boxes_in_view
from tests.data.test_targets import box_mask, objects_of
from tests.support.narrow_deepmask import NARROW
from tests.support.prepared import prepare_shapes

GRID = DeepMaskConfig().grid
CONFIG = DataConfig()
#: Without scaling, objects are exactly 128 px long.
EXACT = dataclasses.replace(CONFIG, side_tolerance=1.0)
SEEDS = [tf.constant([5, i], tf.int64) for i in range(40)]


@functools.cache
def drawing(config):
    """`draw_crop` as a graph for objects of any number of runs."""

    def draw(objects, positive, flipped, seed):
        return draw_crop(objects, positive, flipped, config, GRID, seed)

    return tf.function(draw, reduce_retracing=True)


def crops(mask, config, flipped=False, positive=True, seeds=SEEDS, is_crowd=None):
    objects, draw = objects_of(mask[None], is_crowd), drawing(config)
    return objects, [draw(objects, tf.constant(positive), tf.constant(flipped), seed) for seed in seeds]


def places(found):
    """The sets of the cuts' first pixels, sizes and windows."""
    columns = zip(*((c.view.origin_yx, c.view.shown_hw, c.window[0]) for c in found), strict=True)
    return [{tuple(value.numpy().tolist()) for value in column} for column in columns]


@pytest.mark.parametrize(("flipped", "lefts"), [(False, (96, 112)), (True, (144, 160))])
def test_crops_are_shifted_by_up_to_16_px(flipped, lefts):
    """An object of 64 x 40 px around (100, 110) of 200 x 240 px: at 400 x 480 px one of 128 x 80 px around (200, 220).

    Of the cells' corners 16 i those within 16 px are 192 and 208 along y, 208 and 224 along x; mirrored the centre is
    at x = 260: 256 and 272 (and 244 px away none).
    """
    objects, found = crops(box_mask((200, 240), 68, 90, 132, 130), EXACT, flipped)
    first, sizes, windows = places(found)
    assert first == {(top, left) for top in (80, 96) for left in lefts}
    assert (sizes, windows) == ({(224, 224)}, {(7, 7)})
    for crop in found[:4]:
        assert crop.weight.numpy().tolist() == [1] and crop.owner.numpy().tolist() == [0]
        assert crop.view.resized_hw.numpy().tolist() == [400, 480]
        top, left = np.array([136, 220 if flipped else 180]) - crop.view.origin_yx.numpy()
        pixels = dataclasses.replace(GRID, mask_cells=224)
        mask = mask_targets(objects, crop.view, crop.window, crop.owner, EXACT, pixels)[0]
        np.testing.assert_array_equal(mask, box_mask((224, 224), top, left, top + 128, left + 80))


@pytest.mark.parametrize(
    ("top", "firsts", "sizes", "centres"),
    [
        # Around 64 px: the window begins 64, 48 or 32 px above the image.
        (0, {0}, {160, 176, 192}, {3, 4, 5}),
        # Around 136 px: windows 16..240 and 32..256 end below it.
        (36, {16, 32}, {184, 168}, {7}),
    ],
)
def test_crops_end_where_the_image_does(top, firsts, sizes, centres):
    """An object of 64 x 64 px in 100 x 300 px, which are seen as 200 x 600 px."""
    _, found = crops(box_mask((100, 300), top, 118, top + 64, 182), EXACT)
    places_y = [{place[0] for place in part} for part in places(found)]
    assert places_y == [firsts, sizes, centres]


def test_scales_spread_around_the_canonical_one():
    """An object of 64 px in 200 x 240 px is 128 px long at 400 px; within 2^(1/4) either way: 336.4 to 475.7 px."""
    _, found = crops(box_mask((200, 240), 68, 90, 132, 130), CONFIG)
    sides = np.array([crop.view.resized_hw[0] for crop in found])
    assert np.all((sides >= 336) & (sides <= 476))
    assert sides.min() < 350 and sides.max() > 455 and 10 < np.sum(sides < 400) < 30


def test_negative_crops_are_far_from_objects_or_of_another_scale():
    config = dataclasses.replace(CONFIG, shorter_sides=(200, 300, 400, 800))
    objects, found = crops(box_mask((200, 240), 68, 90, 132, 130), config, positive=False)
    for crop in found:
        assert (crop.weight.numpy().tolist(), crop.owner.shape[0]) == ([1], 0)
        top, left, bottom, right = boxes_in_view(objects, crop.view)[0].numpy()
        offset = 16 * crop.window[0].numpy() - np.array([top + bottom, left + right]) / 2
        octaves = abs(np.log2((bottom - top) / 128))
        assert abs(offset).max() > 32 or octaves >= 1
    assert {int(crop.view.resized_hw[0]) for crop in found} == {200, 300, 400, 800}


@pytest.mark.parametrize("is_crowd", [False, True])
def test_objects_that_cannot_be_canonical_give_negative_crops(is_crowd):
    """Of 10 px in 200 x 240 px: 240 px would be 3072. A crowd is no object."""
    side = 64 if is_crowd else 10
    objects, found = crops(box_mask((200, 240), 0, 0, side, side), CONFIG, is_crowd=[is_crowd], seeds=SEEDS[:5])
    assert canonical_sides(objects, CONFIG).numpy().tolist() == [0]
    assert all(crop.owner.shape[0] == 0 and crop.weight[0] == 1 for crop in found)


def test_where_there_is_no_such_crop_nothing_is_learnt():
    """An image of 8 x 8 px in a crowd."""
    _, found = crops(np.ones((8, 8), bool), CONFIG, is_crowd=[True], seeds=SEEDS[:2])
    assert all(crop.owner.shape[0] == 0 and crop.weight[0] == 0 for crop in found)


def test_masks_and_scores_are_trained_in_turn(tmp_path):
    """Four crops each, here from the fifth on; of those that train scores each second one is positive.

    Windows are of 64 px.
    """
    data = prepare_shapes(tmp_path / "scenes")
    config = DataConfig(object_side=36.0, shorter_sides=(119,), crops_in_turn=4)
    pairs = list(training_examples([data], config, NARROW, 7, start=4).take(12).as_numpy_iterator())
    targets = [targets for _, targets in pairs]
    assert [t["trains_masks"] for t in targets] == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert [t["labels"][0] for t in targets] == [1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0]
    for inputs, target in pairs:
        assert max(inputs["image"].shape[:2]) <= 64 and inputs["windows"].shape == (1, 2)
        assert np.all(inputs["windows"][0] * 16 < inputs["image"].shape[:2])
        assert target["masks"].shape == (1, 64, 64) and target["masks"].any() == target["labels"][0]

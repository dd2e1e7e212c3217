"""What is drawn for a training example: scales, cuts and colours."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.augmentation import draw_background, draw_cut, draw_scale, jitter_colours
from ifcn_tf.data.views import view_of
from ifcn_tf.geometry import WindowGrid
from tests.data.test_targets import objects_of

CONFIG, GRID = DataConfig(shorter_sides=(119, 178, 267)), WindowGrid()


def test_fitting_scales_are_those_with_an_object_of_the_right_size():
    """An object of 100 x 40 px in an image of 100 x 200 px is 128 px long where the shorter side is 128."""
    box = np.zeros((1, 100, 200), bool)
    box[0, :, 80:120] = True
    config = dataclasses.replace(CONFIG, shorter_sides=(64, 100, 128, 150, 200))
    seeds = [tf.constant([1, i], tf.int64) for i in range(60)]
    for share, expected in ((1.0, {128, 150}), (0.0, {64, 100, 128, 150, 200})):
        some = dataclasses.replace(config, fitting_scales=share)
        assert {int(draw_scale(objects_of(box), some, seed)) for seed in seeds} == expected
        # Where nothing fits, every scale may be drawn; a crowd does not count.
        crowd = objects_of(box, [True])
        assert {int(draw_scale(crowd, some, seed)) for seed in seeds} == set(config.shorter_sides)


def test_jittered_scales_spread_around_those_of_the_pyramid():
    """Factors up to 1.25 either way: a shorter side of 100 px becomes 80..125, half of them below 100."""
    box = np.ones((1, 100, 200), bool)
    config = dataclasses.replace(CONFIG, shorter_sides=(100,), scale_jitter=1.25)
    seeds = [tf.constant([1, i], tf.int64) for i in range(200)]
    sides = np.array([draw_scale(objects_of(box), config, seed) for seed in seeds])
    assert (sides.min() < 83, sides.max() > 120, len(np.unique(sides)) > 30) == (True, True, True)
    assert np.all((sides >= 80) & (sides <= 125)) and 70 < np.sum(sides < 100) < 130


def test_cuts_hold_the_windows_of_a_fitting_object():
    """An object of 120 px around (300, 500) fits a window of 168 px; one of 40 px in the corner fits none."""
    masks = np.zeros((2, 600, 800), bool)
    masks[0, 240:360, 440:560] = masks[1, :40, :40] = True
    config = dataclasses.replace(CONFIG, cut_side=304, scale_jitter=1.0)
    seeds = [tf.constant([1, i], tf.int64) for i in range(100)]
    for kept, cuts_around in (([0, 1], (300, 500)), ([1], (20, 20))):
        objects = objects_of(masks[kept])
        whole = view_of(objects.size_hw, tf.constant(600), tf.constant(False), config)
        cuts = [draw_cut(objects, whole, config, GRID, seed) for seed in seeds]
        first = np.array([cut.origin_yx for cut in cuts])
        assert np.all(np.array([cut.shown_hw for cut in cuts]) == 304) and not np.any(first % 8)
        assert len(np.unique(first)) > 5 or kept == [1]  # a cut around the corner cannot move
        # 84 px of window and 16 px of tolerance on each side of the centre, unless the image ends.
        assert np.all(first <= np.maximum(np.array(cuts_around) - 100, 0))
        assert np.all(first + 304 >= np.minimum(np.array(cuts_around) + 100, (600, 800)))


def test_cuts_begin_at_whole_strides_and_hold_a_window_of_any_grid():
    """DeepMask's window has 224 px: 112 px and 16 px of tolerance on each side of the object's centre, (300, 500)."""
    masks, grid = np.zeros((1, 600, 800), bool), WindowGrid(16, 14, 56)
    masks[0, 240:360, 440:560] = True
    objects, config = objects_of(masks), dataclasses.replace(CONFIG, cut_side=320)
    whole = view_of(objects.size_hw, tf.constant(600), tf.constant(False), config)
    cuts = [draw_cut(objects, whole, config, grid, tf.constant([1, i], tf.int64)) for i in range(100)]
    first = np.array([cut.origin_yx for cut in cuts])
    assert not np.any(first % 16) and len(np.unique(first)) > 5
    assert np.all(first <= np.array((300, 500)) - 128) and np.all(first + 320 >= np.array((300, 500)) + 128)


def test_cuts_of_small_and_of_empty_images():
    config = dataclasses.replace(CONFIG, cut_side=304)
    for masks, shorter_side in ((np.ones((1, 100, 700), bool), 200), (np.zeros((0, 400, 400), bool), 400)):
        objects = objects_of(masks)
        whole = view_of(objects.size_hw, tf.constant(shorter_side), tf.constant(False), config)
        cut = draw_cut(objects, whole, config, GRID, tf.constant([1, 2], tf.int64))
        np.testing.assert_array_equal(cut.shown_hw, np.minimum(whole.resized_hw, 304))
        assert np.all(cut.origin_yx + cut.shown_hw <= whole.resized_hw)


def background_views(objects, config, count=400):
    """What becomes of a view that no background cut can be, by its origin: (origin, shown, resized), int [count, 2]."""
    view = view_of(objects.size_hw, tf.constant(119), tf.constant(True), config)
    view = view._replace(origin_yx=tf.constant([-1, -1], tf.int64))

    def one(i):
        return draw_background(view, objects, config, GRID, tf.stack([tf.constant(1, tf.int64), i]))

    views = list(tf.data.Dataset.range(count).map(one).as_numpy_iterator())
    assert all(view.flipped for view in views)
    return tuple(np.array([getattr(v, name) for v in views]) for name in ("origin_yx", "shown_hw", "resized_hw"))


def test_background_cuts_lie_anywhere_at_any_scale():
    """The object fits at 600 px alone. There cuts of 304 px begin at one of 38 cells down and of 63 across."""
    mask = np.zeros((1, 300, 400), bool)
    mask[0, :60, :60] = True
    config = dataclasses.replace(
        CONFIG, shorter_sides=(119, 600), fitting_scales=1.0, cut_side=304, background_cuts=1.0
    )
    first, shown, resized = background_views(objects_of(mask), config)
    large = resized[:, 0] == 600
    assert 150 < np.sum(large) < 250
    np.testing.assert_array_equal(shown, np.where(large[:, None], 304, [119, 159]))
    assert not first[~large].any() and not np.any(first % 8)
    for axis, places in ((0, 38), (1, 63)):
        at = first[large, axis] // 8
        assert at.min() < 4 and places - 4 <= at.max() < places
        assert abs(at.mean() - (places - 1) / 2) < 3.5 * places / 12**0.5 / np.sum(large) ** 0.5


def test_the_share_of_background_cuts_and_where_there_are_none():
    """Where only some objects are labelled and the other windows do not count, there is no negative far from them."""
    objects = objects_of(np.ones((1, 60, 80), bool))
    config = dataclasses.replace(CONFIG, cut_side=304, background_cuts=0.25)
    for partial, partial_negatives, expected in ((False, 0.0, 0.25), (True, 0.5, 0.25), (True, 0.0, 0.0)):
        some = dataclasses.replace(config, partial_negatives=partial_negatives)
        first, *_ = background_views(objects._replace(partial=tf.constant(partial)), some)
        assert abs(np.mean(first[:, 0] >= 0) - expected) < 3 * (expected * (1 - expected) / 400) ** 0.5 + 1e-9


def test_colours_change_and_stay_colours():
    seeds = [tf.constant([1, i], tf.int64) for i in range(50)]
    grey = tf.fill([4, 5, 3], 100.0)
    levels = np.array([jitter_colours(grey, 0.2, seed) for seed in seeds])
    # Without contrast and colour only the brightness is left: 100 less or more 20 %.
    np.testing.assert_allclose(levels, levels[:, :1, :1, :1] * np.ones((1, 4, 5, 3)), atol=1e-3)
    assert levels.min() > 79.9 and levels.max() < 120.1 and np.ptp(levels) > 30
    image = tf.random.stateless_uniform([6, 7, 3], [1, 2], 0, 255)
    changed = np.array([jitter_colours(image, 0.5, seed) for seed in seeds])
    assert changed.min() >= 0 and changed.max() <= 255
    np.testing.assert_array_equal(jitter_colours(image, 0.0, seeds[0]), image)
    # Saturation: distances between the channels of a pixel shrink or grow, at the same brightness and contrast.
    assert np.std(changed.std(-1).mean((1, 2))) > 3

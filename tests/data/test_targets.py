"""Targets against their definition, by hand and against a slow version of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.targets import classify_windows, mask_targets, sample_windows, training_targets
from ifcn_tf.data.views import Objects, View, covers, original_pixels
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.masks.paste import crop
from ifcn_tf.masks.rle import encode, run_lengths, tight_box_xywh
from tests.support import obvious_targets

CONFIG = DataConfig()
GRID = WindowGrid()
#: Grids whose masks are finer than their windows: of 8 px, and DeepMask's of 4 px.
FINER = [WindowGrid(16, 6, 12), WindowGrid(16, 14, 56)]


def objects_of(masks: np.ndarray, is_crowd=None) -> Objects:
    """Bool [n, H, W] as run lengths."""
    rles = [encode(mask) for mask in masks]
    counts = run_lengths(rles)
    left, top, width, height = np.reshape([tight_box_xywh(rle) for rle in rles], (-1, 4)).T
    return Objects(
        tf.constant(np.stack([top, left, top + height, left + width], 1), tf.int64),
        tf.constant([False] * len(masks) if is_crowd is None else is_crowd, tf.bool),
        tf.constant([run for c in counts for run in c], tf.int64),
        tf.constant([len(c) for c in counts], tf.int64),
        tf.constant(masks.shape[1:], tf.int64),
    )


def view_of(height, width, flipped=False) -> View:
    size = tf.constant([height, width], tf.int64)
    return View(size, tf.constant(flipped), tf.zeros([2], tf.int64), size)


def box_mask(hw, top, left, bottom, right) -> np.ndarray:
    mask = np.zeros(hw, bool)
    mask[top:bottom, left:right] = True
    return mask


def random_scene(rng: np.random.Generator, n: int, hw=(70, 90), least_radius=2) -> np.ndarray:
    """Ellipses that overlap and cross the border, bool [n, H, W], none empty."""
    y, x = np.mgrid[: hw[0], : hw[1]]
    masks = []
    for _ in range(n):
        centre, radii = rng.uniform(0, hw), rng.uniform(least_radius, 40, 2)
        mask = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1
        mask &= rng.random(hw) < 0.95
        mask[int(min(max(centre[0], 0), hw[0] - 1)), int(min(max(centre[1], 0), hw[1] - 1))] = True
        masks.append(mask)
    return np.array(masks).reshape(-1, *hw)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_lookup_equals_pycocotools_decode(height, width, n, seed):
    rng = np.random.default_rng(seed)
    masks = rng.random((n, height, width)) < rng.choice([0.0, 0.2, 0.5, 0.9, 1.0], (n, 1, 1))
    rles = [encode(mask) for mask in masks]
    decoded = np.array([coco_mask.decode(rle) for rle in rles]).reshape(n, height, width)
    counts = run_lengths(rles)
    objects = Objects(
        tf.zeros([n, 4], tf.int64),
        tf.zeros([n], tf.bool),
        tf.constant([run for c in counts for run in c], tf.int64),
        tf.constant([len(c) for c in counts], tf.int64),
        tf.constant([height, width], tf.int64),
    )
    number, y, x = tf.meshgrid(*(tf.range(s, dtype=tf.int64) for s in (n, height, width)), indexing="ij")
    np.testing.assert_array_equal(covers(objects, number, y, x), decoded == 1)
    np.testing.assert_array_equal(decoded == 1, masks)


def test_nothing_is_covered_outside_the_image():
    objects = objects_of(np.ones((2, 3, 4), bool))
    y, x = tf.constant([-1, 3, 0, 0, 2], tf.int64), tf.constant([0, 0, -1, 4, 3], tf.int64)
    np.testing.assert_array_equal(covers(objects, tf.constant(1, tf.int64), y, x), [False] * 4 + [True])


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("resized_hw", [(70, 90), (119, 153), (33, 42)])
def test_points_of_the_view_are_the_masks_pixels(flipped, resized_hw):
    """Looking up every pixel centre equals resizing the decoded mask to the nearest pixel, then mirroring it."""
    mask = random_scene(np.random.default_rng(5), 1)[0]
    objects, view = objects_of(mask[None]), view_of(*resized_hw, flipped)
    y, x = (
        original_pixels(tf.range(side, dtype=tf.float64) + 0.5, a, objects, view) for a, side in enumerate(resized_hw)
    )
    found = covers(objects, tf.constant(0, tf.int64), y[:, None], x[None])
    rows, columns = (((np.arange(r) + 0.5) * m / r).astype(int) for r, m in zip(resized_hw, mask.shape, strict=True))
    expected = mask[rows[:, None], columns]
    np.testing.assert_array_equal(found, expected[:, ::-1] if flipped else expected)


def test_windows_of_one_object_by_hand():
    """A 200 x 240 image resized by 2: an object of 64 x 40 px becomes one of 128 x 80 px around (200, 240)."""
    objects, view = objects_of(box_mask((200, 240), 68, 100, 132, 140)[None]), view_of(400, 480)
    classes = classify_windows(objects, view, CONFIG, GRID)
    # Centres 8 i + 4 within 16 px of 200: i = 23 (188) .. 26 (212); 22 (180) is 20 px away. Of 240: 28 (228) .. 31.
    expected = np.zeros((50, 60), bool)
    expected[23:27, 28:32] = True
    np.testing.assert_array_equal(classes.positive, expected)
    # Within 32 px of the centre nothing is negative: i = 21 (172) .. 28 (228), j = 26 (212) .. 33 (268).
    expected = np.ones((50, 60), bool)
    expected[21:29, 26:34] = False
    np.testing.assert_array_equal(classes.negative, expected)


def test_limits_belong_to_the_positives_and_to_the_scale_of_the_negatives():
    """Centre (100, 100) is 16 px from the centres 8 i + 4 of i = 10 (84) and i = 14 (116), exactly the tolerance."""
    config = dataclasses.replace(CONFIG, side_tolerance=1.25)
    for side, positive in ((128, 25), (160, 25), (162, 0), (104, 25), (102, 0)):
        objects = objects_of(
            box_mask((400, 400), 100 - side // 2, 100 - side // 2, 100 + side // 2, 100 + side // 2)[None]
        )
        classes = classify_windows(objects, view_of(400, 400), config, GRID)
        assert np.sum(classes.positive) == positive
    # Exactly one octave away: all is negative. A pixel nearer: not the windows within 32 px of 200, that is 172 .. 228.
    for half, ignored in ((32, 0), (33, 8 * 8), (128, 0), (127, 8 * 8)):
        objects = objects_of(box_mask((400, 400), 200 - half, 200 - half, 200 + half, 200 + half)[None])
        classes = classify_windows(objects, view_of(400, 400), CONFIG, GRID)
        assert np.sum(~classes.negative.numpy()) == ignored


def test_windows_at_scale_and_flip_land_on_the_same_object_point():
    """The window on pixel (60, 28) of a 120 x 160 image: at scale 2 on (120, 56), mirrored on (120, 320 - 56 = 264).

    Cell 7 is centred at 60 and cell 33 at 268, cell 32 at 260: the object's centre is between two of them.
    """
    mask = box_mask((120, 160), 28, 12, 92, 44)  # 64 x 32 px around (60, 28)
    for flipped, columns in ((False, (5, 6, 7, 8)), (True, (31, 32, 33, 34))):
        classes = classify_windows(objects_of(mask[None]), view_of(240, 320, flipped), CONFIG, GRID)
        rows, found = np.nonzero(classes.positive.numpy())
        assert sorted(set(found)) == list(columns)
        # 120 is the middle between cells 14 (116) and 15 (124).
        assert sorted(set(rows)) == [13, 14, 15, 16]


def test_mask_of_a_box_by_hand():
    """The window of cell (15, 15) covers [40, 208) px. The object covers rows 60 .. 123 and columns 64 .. 103."""
    objects, view = objects_of(box_mask((240, 240), 60, 64, 124, 104)[None]), view_of(240, 240)
    one = tf.constant([[15, 15]], tf.int64)
    found = mask_targets(objects, view, one, tf.constant([0], tf.int64), CONFIG, GRID)[0].numpy()
    expected = np.zeros((21, 21), bool)
    # Row cell 2 covers [56, 64), half of it object: 0.5 >= 0.4. Row cell 10 covers [120, 128), half. Columns 3 .. 7.
    expected[2:11, 3:8] = True
    np.testing.assert_array_equal(found, expected)
    strict = dataclasses.replace(CONFIG, mask_coverage=0.51)
    assert mask_targets(objects, view, one, tf.constant([0], tf.int64), strict, GRID).numpy().sum() == 7 * 5


def test_finer_masks_by_hand():
    """Window (6, 7) of 6 cells of 16 px covers rows 48 .. 143 and columns 64 .. 159; its mask has cells of 8 px."""
    grid, window = WindowGrid(16, 6, 12), tf.constant([[6, 7]], tf.int64)
    objects, view = objects_of(box_mask((240, 240), 60, 72, 124, 104)[None]), view_of(240, 240)
    expected = np.zeros((12, 12), bool)
    # Row cell 1 covers [56, 64), half of it object; row cell 9 covers [120, 128), half. Columns [72, 104) are 1 .. 4.
    expected[1:10, 1:5] = True
    found = mask_targets(objects, view, window, tf.constant([0], tf.int64), CONFIG, grid)[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("grid", [GRID, *FINER], ids=str)
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_windows_equal_the_obvious_version(seed, flipped, grid):
    rng = np.random.default_rng(seed)
    masks, resized_hw = random_scene(rng, 6, least_radius=12), [(150, 193), (267, 343), (130, 167)][seed % 3]
    is_crowd = np.arange(6) == seed
    classes = classify_windows(objects_of(masks, is_crowd), view_of(*resized_hw, flipped), CONFIG, grid)
    expected, owners = obvious_targets.classify(masks, is_crowd, masks.shape[1:], resized_hw, flipped, CONFIG, grid)
    assert set(np.unique(expected)) == {-1, 0, 1}
    np.testing.assert_array_equal(classes.positive, expected == 1)
    np.testing.assert_array_equal(classes.negative, expected == 0)
    np.testing.assert_array_equal(classes.owner.numpy()[expected == 1], owners[expected == 1])


@pytest.mark.parametrize("grid", [GRID, *FINER], ids=str)
@pytest.mark.parametrize("flipped", [False, True])
def test_training_targets_equal_the_obvious_version_eager_and_mapped(flipped, grid):
    masks, resized_hw = random_scene(np.random.default_rng(4), 4, least_radius=20), (150, 193)
    objects, view = objects_of(masks), view_of(*resized_hw, flipped)
    seed = tf.constant([3, 4], tf.int64)
    targets = training_targets(objects, view, CONFIG, grid, seed)
    mapped = tf.data.Dataset.from_tensors((objects, view)).map(lambda o, v: training_targets(o, v, CONFIG, grid, seed))
    for name, value in mapped.get_single_element().items():
        np.testing.assert_array_equal(value, targets[name])
    found = {name: value.numpy() for name, value in targets.items()}
    classes, owners = obvious_targets.classify(masks, [False] * 4, masks.shape[1:], resized_hw, flipped, CONFIG, grid)
    sampled = found["weights"] == 1
    np.testing.assert_array_equal(classes[tuple(found["windows"][sampled].T)], found["labels"][sampled])
    positives = np.flatnonzero(found["labels"])
    assert len(positives) == np.sum(classes == 1) >= 8
    assert not found["masks"][len(positives) :].any()
    for slot in positives[:6]:
        window = tuple(found["windows"][slot])
        shares = obvious_targets.coverage(masks[owners[window]], window, resized_hw, flipped, grid)
        np.testing.assert_array_equal(found["masks"][slot], shares >= 0.4)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_cut_shows_the_same_windows_and_masks_as_the_whole(flipped):
    """Cells 3..12 x 5..18 of a view are cells 0..9 x 0..13 of its cut from (24, 40) to (101, 150)."""
    masks, is_crowd = random_scene(np.random.default_rng(4), 4, least_radius=20), [False, False, False, True]
    objects, whole = objects_of(masks, is_crowd), view_of(150, 193, flipped)
    cut = whole._replace(origin_yx=tf.constant([24, 40], tf.int64), shown_hw=tf.constant([77, 110], tf.int64))
    expected, found = classify_windows(objects, whole, CONFIG, GRID), classify_windows(objects, cut, CONFIG, GRID)
    assert tf.reduce_any(found.positive) and tf.reduce_any(found.negative)
    for part, all_of_it in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, all_of_it[3:13, 5:19])
    windows = tf.where(found.positive)
    owners = tf.gather_nd(found.owner, windows)
    np.testing.assert_array_equal(
        mask_targets(objects, cut, windows, owners, CONFIG, GRID),
        mask_targets(objects, whole, tf.add(windows, [3, 5]), owners, CONFIG, GRID),
    )


def test_average_over_pixel_centres_is_near_the_exact_average():
    """Cells whose exact coverage is farther than 0.06 from the threshold never differ; here a pixel is 1.7 px wide."""
    mask = random_scene(np.random.default_rng(8), 1, (200, 260))[0]
    objects, view = objects_of(mask[None]), view_of(119, 155)
    for window in ((4, 6), (9, 10), (14, 18)):
        found = mask_targets(objects, view, tf.constant([window], tf.int64), tf.constant([0], tf.int64), CONFIG, GRID)[
            0
        ]
        corner = np.array([8 * (window[0] - 10), 8 * (window[1] - 10)])
        scale = np.array(mask.shape) / (119, 155)
        exact = crop(mask, [*(corner * scale), *((corner + 168) * scale)], 21)
        differing = found.numpy() != (exact >= 0.4)
        assert np.all(np.abs(exact[differing] - 0.4) < 0.06)


def test_the_nearest_object_owns_a_window():
    """Two objects of 128 px, centred at x = 100 and 116: windows at 108 are as near to both, and the first has them."""
    masks = np.array([box_mask((200, 240), 36, left, 164, left + 128) for left in (36, 52)])
    classes = classify_windows(objects_of(masks), view_of(200, 240), CONFIG, GRID)
    owner = classes.owner.numpy()[12]  # centres at y = 100
    assert np.flatnonzero(classes.positive[12]).tolist() == [10, 11, 12, 13, 14, 15, 16]  # x = 84 .. 132
    assert owner[10:17].tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_counts_of_sampled_windows():
    """Half the windows are positive at most; negatives are as many, or the floor."""
    hw = (300, 300)
    for masks, expected in (
        (np.array([box_mask(hw, 86, 86, 214, 214)]), (16, 16)),  # centre 150: 8 i + 4 from 134 to 166, four a side
        (np.zeros((0, *hw), bool), (0, 16)),
        (np.array([box_mask(hw, 0, 0, 300, 300)]), (0, 16)),  # more than an octave too large: all are negative
    ):
        for num_windows, floor in ((256, 16), (8, 16)):
            config = dataclasses.replace(CONFIG, num_windows=num_windows, negatives_floor=floor)
            classes = classify_windows(objects_of(masks), view_of(*hw), config, GRID)
            positives, negatives = sample_windows(classes, config, tf.constant([1, 2], tf.int64))
            assert len(positives) == min(expected[0], num_windows // 2)
            assert len(negatives) == min(expected[1], num_windows - len(positives))
            assert len(np.unique(np.concatenate([positives, negatives]), axis=0)) == len(positives) + len(negatives)


def test_windows_near_objects_by_hand():
    """Of boxes at [100, 140) and [236, 364) px: centres 8 i + 4 of more than 68 and below 172, of 204 and 396."""
    objects, view = partial_scene()
    expected = np.zeros((50, 50), bool)
    expected[9:21, 9:21] = True  # 76 .. 164; 68 and 172 touch the limits
    small = expected.copy()
    expected[26:49, 26:49] = True  # 212 .. 388
    np.testing.assert_array_equal(classify_windows(objects, view, CONFIG, GRID).near, expected)
    objects = objects._replace(is_crowd=tf.constant([False, True]))
    np.testing.assert_array_equal(classify_windows(objects, view, CONFIG, GRID).near, small)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_negatives_is_near_at_least(share):
    """One in twenty is near by chance, which is less than half of them."""
    objects, view = objects_of(box_mask((800, 800), 336, 336, 464, 464)[None]), view_of(800, 800)
    config = dataclasses.replace(CONFIG, negatives_floor=200, hard_negatives=share)
    classes = classify_windows(objects, view, config, GRID)
    # Near are the centres of 312 .. 488; of 364 .. 436 on both axes, none is negative.
    assert np.sum(classes.near & classes.negative) == 24**2 - 8**2
    found = [sample_windows(classes, config, tf.constant([1, i], tf.int64)) for i in range(10)]
    expected = max(share, (24**2 - 8**2) / np.sum(classes.negative))
    for positives, negatives in found:
        assert (len(positives), len(negatives)) == (16, 200)
        assert len(np.unique(negatives, axis=0)) == 200 and np.all(tf.gather_nd(classes.negative, negatives))
    near = np.mean([tf.gather_nd(classes.near, negatives) for _, negatives in found], 1)
    assert near.mean() == pytest.approx(expected, abs=0.015 if share == 0 else 1e-9)


def test_there_may_be_fewer_hard_negatives_than_wanted():
    """Eight negatives of sixteen are to be near, and no object is there to be near to: they are drawn as ever."""
    config = dataclasses.replace(CONFIG, hard_negatives=0.5)
    classes = classify_windows(objects_of(np.zeros((0, 60, 80), bool)), view_of(60, 80), config, GRID)
    found, expected = (sample_windows(classes, c, tf.constant([1, 2], tf.int64))[1] for c in (config, CONFIG))
    np.testing.assert_array_equal(found, expected)
    assert len(found) == 16


def test_negatives_follow_the_positives_above_the_floor():
    masks = np.array([box_mask((600, 600), 36 + 64 * i, 36 + 40 * i, 164 + 64 * i, 164 + 40 * i) for i in range(5)])
    classes = classify_windows(objects_of(masks), view_of(600, 600), CONFIG, GRID)
    positives, negatives = sample_windows(classes, CONFIG, tf.constant([1, 2], tf.int64))
    assert len(positives) == len(negatives) == np.sum(classes.positive) > 100


def one_pixel(hw):
    return box_mask(hw, 10, 10, 11, 11)[None]


@pytest.mark.parametrize(
    ("masks", "is_crowd", "sampled"),
    [
        (np.zeros((0, 60, 80), bool), [], 16),
        (np.ones((1, 60, 80), bool), [True], 0),
        (one_pixel((60, 80)), [False], 16),
        (np.ones((1, 60, 80), bool), [False], 16),
        (np.concatenate([one_pixel((60, 80))] * 500), [False] * 500, 16),
    ],
    ids=["no object", "crowd only", "one pixel", "object as large as the image", "500 objects"],
)
def test_extreme_scenes_have_negatives_only(masks, is_crowd, sampled):
    for resized_hw in ((119, 159), (600, 800)):
        targets = training_targets(
            objects_of(masks, is_crowd), view_of(*resized_hw), CONFIG, GRID, tf.constant([0, 1], tf.int64)
        )
        shapes = {name: tuple(value.shape) for name, value in targets.items()}
        assert shapes == {"windows": (256, 2), "labels": (256,), "weights": (256,), "masks": (256, 21, 21)}
        assert not np.any(targets["labels"]) and not np.any(targets["masks"])
        np.testing.assert_array_equal(targets["weights"], [1] * sampled + [0] * (256 - sampled))
        assert not np.any(targets["windows"][sampled:])


def test_an_object_as_large_as_the_image_has_all_cells_in_the_image():
    """At 96 x 128 px it fits: cells within the image are 1, cells beyond its border 0."""
    targets = training_targets(
        objects_of(np.ones((1, 48, 64), bool)), view_of(96, 128), CONFIG, GRID, tf.constant([0, 1], tf.int64)
    )
    assert targets["labels"].numpy().sum() == 16
    for (y, x), mask in zip(targets["windows"].numpy()[:16], targets["masks"].numpy()[:16], strict=True):
        expected = np.zeros((21, 21))
        expected[10 - y : 22 - y, 10 - x : 26 - x] = 1  # 12 x 16 cells
        np.testing.assert_array_equal(mask, expected)


def partial_scene():
    """An object of 40 px at [100, 140), too small for a positive window, and one of 128 px at [236, 364)."""
    masks = np.array(
        [box_mask((400, 400), start, start, start + side, start + side) for start, side in ((100, 40), (236, 128))]
    )
    return objects_of(masks)._replace(partial=True), view_of(400, 400)


@pytest.mark.parametrize("crowd", [False, True])
def test_negatives_of_partial_labels_by_hand(crowd):
    """Within 16 px of [100, 140) are centres 8 i + 4 of i = 11 (92) .. 18 (148); 84 and 156 touch it.

    A crowd is labelled too, but no window is centred in it: i = 12 (100) .. 16 (132).
    """
    objects, view = partial_scene()
    objects = objects._replace(is_crowd=tf.constant([crowd, False]))
    known = np.zeros((50, 50), bool)
    known[11:19, 11:19] = True
    known[28:47, 28:47] = True  # 228 .. 372; 220 and 380 touch [236, 364)
    full = classify_windows(objects._replace(partial=False), view, CONFIG, GRID)
    for share in (1.0, 0.25, 0.0):
        config = dataclasses.replace(CONFIG, partial_negatives=share)
        found = classify_windows(objects, view, config, GRID)
        np.testing.assert_array_equal(found.weight, np.where(known, 1, share))
        np.testing.assert_array_equal(found.negative, full.negative & (known | (share > 0)))
        np.testing.assert_array_equal(found.positive, full.positive)
        assert np.all(found.weight[found.positive] == 1) and np.sum(found.positive) == 25
        assert np.sum(found.negative[:20, :20] & known[:20, :20]) == (64 - 25 if crowd else 64)
        elsewhere = classify_windows(objects._replace(partial=False), view, config, GRID)
        np.testing.assert_array_equal(elsewhere.weight, np.ones((50, 50)))


def test_sampled_negatives_of_partial_labels_count_less_or_not_at_all():
    objects, view = partial_scene()
    for share, expected in ((0.25, {0.25, 1.0}), (0.0, {1.0})):
        config = dataclasses.replace(CONFIG, partial_negatives=share, negatives_floor=100)
        targets = training_targets(objects, view, config, GRID, tf.constant([1, 2], tf.int64))
        weights, (y, x) = targets["weights"].numpy()[:125], targets["windows"].numpy()[:125].T
        np.testing.assert_array_equal(weights, classify_windows(objects, view, config, GRID).weight.numpy()[y, x])
        assert set(weights) == expected and np.all(weights[:25] == 1)
        assert not np.any(targets["weights"][125:])


def test_partly_labelled_photographs_without_an_object_have_no_negatives_at_0():
    empty = objects_of(np.zeros((0, 60, 80), bool))._replace(partial=True)
    for share in (1.0, 0.5, 0.0):
        config = dataclasses.replace(CONFIG, partial_negatives=share)
        targets = training_targets(empty, view_of(60, 80), config, GRID, tf.constant([1, 2], tf.int64))
        np.testing.assert_array_equal(targets["weights"], [share] * 16 + [0] * 240)
        assert share or not np.any(targets["windows"])

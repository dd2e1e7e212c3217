"""Changed run lengths against painted masks."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.data.run_lengths import areas, joined, seen_in, selected, union, without
from ifcn_tf.data.views import Objects, View, covers
from tests.data.test_targets import box_mask, objects_of, random_scene


def painted(objects: Objects) -> np.ndarray:
    """The masks, bool [n, H, W]."""
    counts = [objects.is_crowd.shape[0], *objects.size_hw.numpy()]
    number, y, x = tf.meshgrid(*(tf.range(count, dtype=tf.int64) for count in counts), indexing="ij")
    return covers(objects, number, y, x).numpy()


def assert_masks(objects: Objects, expected: np.ndarray) -> None:
    """The runs tile all lines, and masks, areas and tight boxes are those of masks, of which none is empty."""
    np.testing.assert_array_equal(painted(objects), expected)
    whole = objects_of(expected)
    np.testing.assert_array_equal(objects.boxes_yxyx, whole.boxes_yxyx)
    np.testing.assert_array_equal(areas(objects), expected.sum((1, 2)))
    assert int(tf.reduce_sum(objects.counts)) == expected.size
    assert int(tf.reduce_sum(objects.num_counts)) == len(objects.counts)


@pytest.mark.parametrize("seed", range(4))
def test_hidden_pixels_are_taken_out(seed):
    rng = np.random.default_rng(seed)
    masks, hidden = random_scene(rng, 4), random_scene(rng, 1)[0]
    masks[:, 0, 0], hidden[0, 0] = True, False  # a mask that begins with the first pixel, and none that is all hidden
    hidden[-1, -1] = masks[1:, -1, -1] = True
    assert_masks(without(objects_of(masks), tf.constant(hidden)), masks & ~hidden)


def test_nothing_and_everything_hidden():
    masks = random_scene(np.random.default_rng(1), 3)
    objects = objects_of(masks)
    assert_masks(without(objects, tf.zeros(masks.shape[1:], tf.bool)), masks)
    gone = without(objects, tf.ones(masks.shape[1:], tf.bool))
    assert not painted(gone).any() and not np.any(areas(gone))
    none = objects_of(masks[:0])
    assert painted(without(none, tf.constant(masks[0]))).shape == (0, 70, 90)


def test_runs_by_hand():
    """Of a square of 2 px in 3 x 4 px the left column is hidden: pixels 7 and 8 of the line are left."""
    objects = without(objects_of(box_mask((3, 4), 1, 1, 3, 3)[None]), tf.constant(box_mask((3, 4), 0, 1, 3, 2)))
    runs = objects.counts.numpy()
    assert np.repeat(np.arange(len(runs)) % 2, runs).tolist() == [0] * 7 + [1] * 2 + [0] * 3
    assert objects.boxes_yxyx.numpy().tolist() == [[1, 2, 3, 3]]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(
    ("resized_hw", "origin_yx", "shown_hw"),
    [((70, 90), (0, 0), (70, 90)), ((119, 153), (-20, 40), (100, 100)), ((33, 42), (-30, -5), (80, 60))],
)
def test_masks_in_a_view_are_those_of_its_pixels(flipped, resized_hw, origin_yx, shown_hw):
    """The nearest pixel of the original, by hand; views reach beyond the image and show a part of it."""
    masks = random_scene(np.random.default_rng(5), 5)
    points = [np.arange(shown) + origin + 0.5 for origin, shown in zip(origin_yx, shown_hw, strict=True)]
    points[1] = resized_hw[1] - points[1] if flipped else points[1]
    at = [np.floor(p * side / r) for p, side, r in zip(points, masks.shape[1:], resized_hw, strict=True)]
    rows, columns = (np.clip(a, 0, side - 1).astype(int) for a, side in zip(at, masks.shape[1:], strict=True))
    on = [(a >= 0) & (a < side) for a, side in zip(at, masks.shape[1:], strict=True)]
    expected = masks[:, rows[:, None], columns] & on[0][:, None] & on[1]
    view = View(*(tf.constant(v) for v in (resized_hw, flipped, origin_yx, shown_hw)))
    view = View(*(value if value.dtype == tf.bool else tf.cast(value, tf.int64) for value in view))
    shown = expected.any((1, 2))
    assert shown.sum() >= 3
    found = seen_in(view, objects_of(masks))
    np.testing.assert_array_equal(painted(found), expected)
    assert_masks(selected(found, tf.constant(shown)), expected[shown])


def test_objects_selected_joined_and_united():
    masks = random_scene(np.random.default_rng(2), 5)
    objects = objects_of(masks, [False, True, False, False, True])
    some = selected(objects, tf.constant([False, True, True, False, False]))
    both = joined(some, selected(objects, tf.constant([True, False, False, False, False])))
    assert_masks(both, masks[[1, 2, 0]])
    assert both.is_crowd.numpy().tolist() == [True, False, False]
    np.testing.assert_array_equal(union(both), masks[:3].any(0))
    assert not np.any(union(selected(objects, tf.zeros([5], tf.bool))))

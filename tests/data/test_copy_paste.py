"""Pasted objects on plain photographs, where colours say which pixel is whose."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.copy_paste import maybe_paste
from ifcn_tf.data.records import parse, serialize
from ifcn_tf.data.run_lengths import areas
from ifcn_tf.data.views import image_of, objects_of, view_of
from tests.data.test_run_lengths import painted
from tests.data.test_targets import box_mask

CONFIG = DataConfig(copy_paste=1.0)
BELOW, ABOVE = (200, 40, 40), (30, 60, 220)


def record(colour, masks, crowds=0):
    """A plain photograph with objects, the last ones crowds."""
    masks = np.reshape(np.array(masks, bool), (len(masks), *(np.shape(masks)[1:] or (60, 80))))
    instances = [Instance.of_mask(mask, 1, i >= len(masks) - crowds) for i, mask in enumerate(masks)]
    image = np.full((*masks.shape[1:], 3), colour, np.uint8)
    encoded = tf.io.encode_png(image).numpy()
    return parse(tf.constant(serialize(Example(str(colour), "a.png", masks.shape[1:], tuple(instances), encoded))))


def l_shape(hw, top, left, height, width):
    """A box of which the upper right quarter is missing."""
    mask = box_mask(hw, top, left, top + height, left + width)
    mask[top : top + height // 2, left + width // 2 : left + width] = False
    return mask


@functools.cache
def pasting(share):
    """`maybe_paste` of any two records, traced once."""
    specs = {name: tf.TensorSpec([None] * len(value.shape), value.dtype) for name, value in record(ABOVE, []).items()}
    config = dataclasses.replace(CONFIG, copy_paste=share)
    return tf.function(
        lambda below, above, seed: maybe_paste(below, lambda _: above, config, seed),
        input_signature=[specs, specs, tf.TensorSpec([2], tf.int64)],
    )


def pastings(below, above, share=1.0, count=40):
    """Records with something pasted, of as many seeds."""
    return [pasting(share)(below, above, tf.constant([1, i], tf.int64)) for i in range(count)]


def is_above(found):
    """Where the photograph shows the colour of the pasted one."""
    return (found["image/decoded"].numpy() == ABOVE).all(-1)


@pytest.fixture(scope="module")
def simple():
    """An object of 60 x 40 px on 120 x 160 px, below one of 24 x 32 px on 240 x 200 px, which has a crowd too."""
    below = record(BELOW, [box_mask((120, 160), 30, 50, 90, 90)])
    crowd = box_mask((240, 200), 0, 0, 100, 200)
    return below, pastings(below, record(ABOVE, [l_shape((240, 200), 120, 80, 24, 32), crowd], crowds=1))


def test_a_pasted_object_is_where_its_pixels_are_and_hides_what_is_below(simple):
    below, found = simple
    whole, hits = painted(objects_of(below))[0], 0
    for record_ in found:
        masks, above = painted(objects_of(record_)), is_above(record_)
        assert len(masks) == 2 and above.any()
        np.testing.assert_array_equal(masks[1], above)
        np.testing.assert_array_equal(masks[0], whole & ~above)
        hits += (masks[0] != whole).any()
        assert (record_["image/decoded"].numpy()[~above] == BELOW).all()
        for mask, box in zip(masks, objects_of(record_).boxes_yxyx.numpy(), strict=True):
            ys, xs = np.nonzero(mask)
            assert box.tolist() == [ys.min(), xs.min(), ys.max() + 1, xs.max() + 1]
    assert 5 < hits < 35


def test_sizes_places_and_mirror_images(simple):
    """24 px of a side of 200 px are 14.4 px of one of 120 px, times or divided by 2 at most; all of it is shown."""
    boxes = np.array([objects_of(r).boxes_yxyx.numpy()[1] for r in simple[1]])
    heights, widths = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert 7 <= heights.min() <= 9 and 24 <= heights.max() <= 29
    np.testing.assert_allclose(widths / heights, 32 / 24, atol=0.25)
    assert boxes[:, :2].min() >= 0 and np.all(boxes[:, 2:] <= (120, 160))
    assert np.ptp(boxes[:, 0]) > 60 and np.ptp(boxes[:, 1]) > 90
    left_is_higher = []
    for record_ in simple[1]:
        columns = is_above(record_).sum(0)
        columns = columns[columns > 0]
        left_is_higher.append(columns[0] > columns[-1])
    assert 8 < sum(left_is_higher) < 32


def test_of_several_objects_one_at_least_and_every_number_is_pasted():
    below = record(BELOW, [])
    above = record(ABOVE, [box_mask((100, 100), 10 * i, 10 * i, 10 * i + 5, 10 * i + 5) for i in range(3)])
    counts = [len(objects_of(found).is_crowd) for found in pastings(below, above)]
    assert set(counts) == {1, 2, 3}


def test_what_is_all_but_hidden_is_no_object():
    """An object as large as its photograph hides a small one, both, or leaves more than a tenth of either."""
    small, large = box_mask((100, 100), 20, 20, 30, 30), np.ones((100, 100), bool)
    shares = []
    for found in pastings(record(BELOW, [small, large]), record(ABOVE, [np.ones((100, 100), bool)])):
        above, objects = is_above(found), objects_of(found)
        expected = [m & ~above for m in (small, large) if (m & ~above).sum() >= max(0.1 * m.sum(), 1)] + [above]
        np.testing.assert_array_equal(painted(objects), expected)
        shares.append(len(expected))
        assert np.all(areas(objects) > 0)
    assert set(shares) == {1, 2, 3}


def test_nothing_to_paste_changes_nothing():
    below = record(BELOW, [box_mask((60, 80), 10, 10, 50, 40)])
    crowd = record(ABOVE, [np.ones((60, 80), bool)], crowds=1)
    for above in (record(ABOVE, []), crowd):
        for found in pastings(below, above, count=3):
            assert not is_above(found).any()
            for some, other in zip(objects_of(found)[:5], objects_of(below)[:5], strict=True):
                np.testing.assert_array_equal(some, other)
            view = view_of(objects_of(below).size_hw, tf.constant(90), tf.constant(True), CONFIG)
            np.testing.assert_array_equal(image_of(found, view), image_of(below, view))


def test_the_share_of_examples_with_something_pasted():
    above = record(ABOVE, [box_mask((60, 80), 20, 20, 40, 40)])
    share = np.mean([is_above(found).any() for found in pastings(record(BELOW, []), above, 0.25, 200)])
    assert abs(share - 0.25) < 3 * (0.25 * 0.75 / 200) ** 0.5

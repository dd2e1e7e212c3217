"""Regions in records, and the examples that are made of them."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import MaskClassifierConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.photographs import photographs_with_regions
from ifcn_tf.data.records import Writer, parse, serialize
from ifcn_tf.data.regions import Regions, regions_of
from ifcn_tf.data.rois import class_numbers, require_regions, roi_example, sample
from ifcn_tf.masks.rle import encode
from tests.support.exported import encoded, scene
from tests.support.prepared import prepare_shapes

SIZE = (40, 60)
NAMES = MaskClassifierConfig(classes=("background", "cup", "spoon"), category_ids=(7, 3))
PLAIN = DataConfig(shorter_sides=(80,), num_rois=8, flip_probability=0.0)


def rectangle(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


#: A crowd of spoons, and a cup.
OBJECTS = ((rectangle(0, 0, 20, 30), 3, True), (rectangle(10, 20, 30, 50), 7, False))


def example(objects=OBJECTS):
    instances = tuple(Instance.of_mask(*item) for item in objects)
    return Example("photo", "photo.png", SIZE, instances, encoded(scene(0, SIZE), "PNG"))


def regions(photograph=None):
    """Of two proposals the first has the box of the cup and half of its mask; the second lies elsewhere."""
    boxes = np.array([[10, 20, 30, 50], [0, 0, 8, 8]], float)
    masks = np.stack([np.tile(np.arange(14) < 7, (14, 1)), np.ones((14, 14))])
    rles = [encode(rectangle(10, 20, 30, 35)), encode(rectangle(0, 0, 8, 8))]
    return regions_of(photograph or example(), boxes, masks, rles)


def record(found, photograph=None):
    return parse(serialize(photograph or example(), found))


def test_regions_are_the_objects_without_crowds_then_the_proposals():
    found = regions()
    np.testing.assert_array_equal(found.boxes_yxyx, [[10, 20, 30, 50], [10, 20, 30, 50], [0, 0, 8, 8]])
    assert found.objects.tolist() == [1, 1, 1]  # the crowd, number 0, is none
    np.testing.assert_allclose(found.box_ious, [1, 1, 0])
    np.testing.assert_allclose(found.mask_ious, [1, 0.5, 0])
    assert (found.masks[0] == 255).all() and found.masks[1, :, :7].min() == 255 and not found.masks[1, :, 7:].any()


def test_a_photograph_without_objects_has_background_alone():
    found = regions(example(()))
    assert found.objects.tolist() == [-1, -1] and not found.box_ious.any() and not found.mask_ious.any()
    inputs, targets = roi_example(record(found, example(())), PLAIN, NAMES, tf.constant([0, 1], tf.int64))
    assert targets["weights"].numpy().tolist() == [1] * 2 + [0] * 6 and not targets["classes"].numpy().any()
    assert inputs["roi_masks"].shape == (8, 14, 14)


def test_an_example_by_hand():
    """At twice the size; with the object itself a third of eight regions may have an object, rounded to two."""
    halved = dataclasses.replace(regions(), mask_ious=np.array([1, 0.4, 0], np.float32))
    inputs, targets = roi_example(record(halved), PLAIN, NAMES, tf.constant([0, 1], tf.int64))
    assert inputs["image"].shape == (80, 120, 3)
    rows = np.lexsort((targets["classes"][:3], targets["box_classes"][:3]))[::-1]
    take = {name: np.asarray(value)[:3][rows] for name, value in (inputs | targets).items() if value.shape.rank}
    assert take["box_classes"].tolist() == [1, 1, 0]  # category 7 is the first class
    assert take["classes"].tolist() == [1, 0, 0]  # the mask of the second agrees too little
    np.testing.assert_allclose(take["boxes_yxyx"], [[20, 40, 60, 100], [20, 40, 60, 100], [0, 0, 16, 16]])
    np.testing.assert_allclose(take["wanted_boxes"][:2], [[20, 40, 60, 100]] * 2)
    np.testing.assert_allclose(take["roi_masks"][1], np.tile(np.arange(14) < 7, (14, 1)))
    assert targets["weights"].numpy().tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_boxes_and_masks_are_mirrored_with_the_image():
    mirrored = dataclasses.replace(PLAIN, flip_probability=1.0)
    seed = tf.constant([0, 1], tf.int64)
    (plain, wanted), (inputs, targets) = (
        roi_example(record(regions()), config, NAMES, seed) for config in (PLAIN, mirrored)
    )
    np.testing.assert_allclose(inputs["image"], plain["image"][:, ::-1], atol=1e-3)
    for boxes, others in (
        (inputs["boxes_yxyx"], plain["boxes_yxyx"]),
        (targets["wanted_boxes"], wanted["wanted_boxes"]),
    ):
        top, left, bottom, right = others[:3].numpy().T
        np.testing.assert_allclose(boxes[:3], np.stack([top, 120 - right, bottom, 120 - left], 1), atol=1e-4)
    np.testing.assert_array_equal(inputs["roi_masks"], plain["roi_masks"][:, :, ::-1])
    np.testing.assert_array_equal(targets["classes"], wanted["classes"])


@pytest.mark.parametrize(
    ("foreground", "background", "drawn"), [(100, 100, (19, 45)), (5, 100, (5, 59)), (30, 10, (19, 10)), (0, 3, (0, 3))]
)
def test_up_to_three_tenths_of_the_regions_hold_an_object(foreground, background, drawn):
    ious = np.array([0.5] * foreground + [0.49] * background, np.float32)
    chosen = sample(tf.constant(ious), DataConfig(), tf.constant([3, 4], tf.int64)).numpy()
    assert len(set(chosen.tolist())) == len(chosen)
    assert (int((chosen < foreground).sum()), int((chosen >= foreground).sum())) == drawn


def test_the_draw_depends_on_the_seed():
    ious = tf.constant(np.linspace(0, 1, 200, dtype=np.float32))
    draws = [sample(ious, DataConfig(), tf.constant([seed, 0], tf.int64)).numpy().tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_classes_by_the_numbers_of_the_data():
    assert class_numbers(tf.constant([3, 7, 5], tf.int64), NAMES).numpy().tolist() == [2, 1, 0]


def test_regions_are_read_back_as_they_were_written(tmp_path):
    writer, found = Writer(tmp_path, "some", 1), regions()
    writer.write(example(), found)
    writer.close({"categories": {"7": "cup", "3": "spoon"}})
    ((photograph, read),) = photographs_with_regions([tmp_path], 5)
    assert photograph.size_hw == SIZE
    for field in dataclasses.fields(Regions):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(found, field.name))
    require_regions([tmp_path], NAMES, DataConfig())
    with pytest.raises(UserError, match=r"has other classes \(cup, spoon\).*\[7, 3\]"):
        require_regions([tmp_path], MaskClassifierConfig(), DataConfig())
    with pytest.raises(UserError, match=r"data\.copy_paste must be 0"):
        require_regions([tmp_path], NAMES, DataConfig(copy_paste=0.5))


def test_photographs_without_regions_are_refused(tmp_path):
    data = prepare_shapes(tmp_path / "scenes", 2)
    categories = json.loads((data / "dataset.json").read_text())["categories"]
    network = MaskClassifierConfig(
        classes=("background", *categories.values()), category_ids=tuple(map(int, categories))
    )
    with pytest.raises(UserError, match=r"2 of the 2 photographs of .* have no regions: .*prepare-regions"):
        require_regions([data], network, DataConfig())

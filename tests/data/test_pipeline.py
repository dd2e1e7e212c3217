"""Training examples: deterministic, resumable, divided between workers, and right on real photographs."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.annotations.coco import coco_source
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.proposing import SIX_SCALES
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.pipeline import draw_cut, draw_scale, image_of, jitter_colours, objects_of, training_examples, view_of
from ifcn_tf.data.prepare import prepare, records_writer, refuse
from ifcn_tf.data.records import Records, parse
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.tensors import decode
from tests.data.test_targets import objects_of as objects_of_masks
from tests.support.dots import DotsConfig
from tests.support.prepared import prepare_shapes

CONFIG = DataConfig(shorter_sides=(119, 178, 267))
NETWORK, GRID = InstanceFCNConfig(), WindowGrid()
COUNT = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "shapes", COUNT)


def take(count, *args, **kwargs):
    """The first examples, each as one dict of arrays."""
    pairs = training_examples(*args, **kwargs).take(count).as_numpy_iterator()
    return [inputs | targets for inputs, targets in pairs]


def assert_same(found, expected):
    assert len(found) == len(expected) > 0
    for a, b in zip(found, expected, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


@pytest.fixture(scope="module")
def run(data):
    """Two passes and a little more."""
    return take(2 * COUNT + 2, [data], CONFIG, NETWORK, 7)


def test_shapes_and_types(data):
    inputs, targets = training_examples([data], CONFIG, NETWORK, 7).element_spec
    assert inputs == {
        "image": tf.TensorSpec([None, None, 3], tf.float32),
        "windows": tf.TensorSpec([256, 2], tf.int32),
    }
    assert targets == {
        "labels": tf.TensorSpec([256], tf.float32),
        "weights": tf.TensorSpec([256], tf.float32),
        "masks": tf.TensorSpec([256, 21, 21], tf.float32),
        "image_id": tf.TensorSpec([], tf.string),
    }


def test_the_grid_is_that_of_the_network(data):
    """Windows of 16 px whose masks have 12 x 12 cells: the centre of every window is on the map."""
    config = dataclasses.replace(CONFIG, fitting_scales=1.0)
    examples = take(COUNT, [data], config, DotsConfig(), 7)
    assert sum(example["labels"].sum() for example in examples) > 4
    for example in examples:
        assert example["masks"].shape == (256, 12, 12)
        assert np.all(example["windows"] * 16 < example["image"].shape[:2])
        assert np.all(example["masks"][example["labels"] == 1].any((1, 2)))


@pytest.mark.parametrize("parallel_calls", [1, 4])
def test_two_runs_are_identical(data, run, parallel_calls):
    assert_same(take(len(run), [data], CONFIG, NETWORK, 7, parallel_calls=parallel_calls), run)


def test_another_seed_is_another_run(data, run):
    other = take(len(run), [data], CONFIG, NETWORK, 8)
    assert [e["image_id"] for e in other] != [e["image_id"] for e in run]


@pytest.mark.parametrize("start", [1, COUNT, 2 * COUNT - 1])
def test_starting_at_i_equals_skipping_i(data, run, start):
    assert_same(take(len(run) - start, [data], CONFIG, NETWORK, 7, start=start), run[start:])


def test_workers_share_the_run(data, run):
    start, workers = 3, 3
    parts = [take(3, [data], CONFIG, NETWORK, 7, start, shard, workers) for shard in range(workers)]
    together = list(itertools.chain.from_iterable(zip(*parts, strict=True)))
    assert_same(together, run[start : start + 9])


def test_every_pass_holds_every_image_once_in_its_own_order(run):
    ids = [example["image_id"] for example in run]
    first, second = ids[:COUNT], ids[COUNT : 2 * COUNT]
    assert len(set(first)) == COUNT and set(second) == set(first)
    assert first != second


def test_an_image_looks_different_in_each_pass(run):
    shapes = {}
    for example in run:
        shapes.setdefault(example["image_id"], []).append((example["image"].shape, float(example["image"].sum())))
    assert any(len(set(seen)) > 1 for seen in shapes.values())


def test_scales_and_flips_are_drawn_evenly(data):
    config = dataclasses.replace(CONFIG, shorter_sides=(16, 24, 32))
    sides = [min(example["image"].shape[:2]) for example in take(300, [data], config, NETWORK, 1)]
    counts = [sides.count(side) for side in config.shorter_sides]
    assert sum(counts) == 300 and min(counts) > 70  # 100 each, standard deviation 8


def test_several_folders_are_one_collection(data, tmp_path):
    other = prepare_shapes(tmp_path / "other", 3, num_shards=1)
    ids = [example["image_id"] for example in take(COUNT + 3, [data, other], CONFIG, NETWORK, 7)]
    assert sorted(ids) == sorted([f"{i:06d}".encode() for i in [*range(COUNT), *range(3)]])


def test_image_and_mirror_image(data):
    record = parse(Records.open([data]).read(tf.constant(0, tf.int64)))
    size_hw = objects_of(record).size_hw
    plain, mirrored = (
        image_of(record, view_of(size_hw, tf.constant(119), tf.constant(flipped), CONFIG)) for flipped in (False, True)
    )
    np.testing.assert_allclose(plain[:, ::-1], mirrored, atol=1e-2)
    decoded = decode(record["image/encoded"]).numpy()
    np.testing.assert_allclose(np.mean(plain, (0, 1)), decoded.mean((0, 1)), atol=1.0)


def test_real_photographs(coco_root, tmp_path):
    """The objects come back as pycocotools has them, and every positive window has a mask."""
    from pycocotools.coco import COCO

    source = coco_source(coco_root / "annotations" / "instances_val2017.json", coco_root / "val2017")
    report = prepare(source, records_writer(source, tmp_path / "val", 2), 1, refuse)
    assert (report.images, report.objects, report.crowds, report.problems) == (100, 1013, 11, {})
    truth = COCO(coco_root / "annotations" / "instances_val2017.json")
    records = Records.open([tmp_path / "val"])
    for number in range(0, 100, 7):
        record = parse(records.read(tf.constant(number, tf.int64)))
        entries = truth.imgToAnns[int(record["image/source_id"].numpy())]
        counts = tf.RaggedTensor.from_row_lengths(
            record["image/object/mask/counts"], record["image/object/mask/num_counts"]
        )
        for runs, entry in zip(counts, entries, strict=True):
            bits = np.repeat(np.arange(len(runs)) % 2, runs).reshape(record["image/width"], -1).T
            np.testing.assert_array_equal(bits, truth.annToMask(entry))
        np.testing.assert_array_equal(record["image/object/is_crowd"], [e["iscrowd"] for e in entries])
        np.testing.assert_allclose(record["image/object/area"], [e["area"] for e in entries], rtol=1e-6)
    examples = take(30, [tmp_path / "val"], DataConfig(), NETWORK, 1)
    assert {min(e["image"].shape[:2]) for e in examples} == set(SIX_SCALES)
    positives = sum(e["labels"].sum() for e in examples)
    assert positives > 100
    for e in examples:
        assert np.all(e["masks"][e["labels"] == 1].any((1, 2)))


def test_fitting_scales_are_those_with_an_object_of_the_right_size():
    """An object of 100 x 40 px in an image of 100 x 200 px is 128 px long where the shorter side is 128."""
    box = np.zeros((1, 100, 200), bool)
    box[0, :, 80:120] = True
    config = dataclasses.replace(CONFIG, shorter_sides=(64, 100, 128, 150, 200))
    seeds = [tf.constant([1, i], tf.int64) for i in range(60)]
    for share, expected in ((1.0, {128, 150}), (0.0, {64, 100, 128, 150, 200})):
        some = dataclasses.replace(config, fitting_scales=share)
        assert {int(draw_scale(objects_of_masks(box), some, seed)) for seed in seeds} == expected
        # Where nothing fits, every scale may be drawn; a crowd does not count.
        crowd = objects_of_masks(box, [True])
        assert {int(draw_scale(crowd, some, seed)) for seed in seeds} == set(config.shorter_sides)


def test_jittered_scales_spread_around_those_of_the_pyramid():
    """Factors up to 1.25 either way: a shorter side of 100 px becomes 80..125, half of them below 100."""
    box = np.ones((1, 100, 200), bool)
    config = dataclasses.replace(CONFIG, shorter_sides=(100,), scale_jitter=1.25)
    seeds = [tf.constant([1, i], tf.int64) for i in range(200)]
    sides = np.array([draw_scale(objects_of_masks(box), config, seed) for seed in seeds])
    assert (sides.min() < 83, sides.max() > 120, len(np.unique(sides)) > 30) == (True, True, True)
    assert np.all((sides >= 80) & (sides <= 125)) and 70 < np.sum(sides < 100) < 130


def test_cuts_hold_the_windows_of_a_fitting_object():
    """An object of 120 px around (300, 500) fits a window of 168 px; one of 40 px in the corner fits none."""
    masks = np.zeros((2, 600, 800), bool)
    masks[0, 240:360, 440:560] = masks[1, :40, :40] = True
    config = dataclasses.replace(CONFIG, cut_side=304, scale_jitter=1.0)
    seeds = [tf.constant([1, i], tf.int64) for i in range(100)]
    for kept, cuts_around in (([0, 1], (300, 500)), ([1], (20, 20))):
        objects = objects_of_masks(masks[kept])
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
    objects, config = objects_of_masks(masks), dataclasses.replace(CONFIG, cut_side=320)
    whole = view_of(objects.size_hw, tf.constant(600), tf.constant(False), config)
    cuts = [draw_cut(objects, whole, config, grid, tf.constant([1, i], tf.int64)) for i in range(100)]
    first = np.array([cut.origin_yx for cut in cuts])
    assert not np.any(first % 16) and len(np.unique(first)) > 5
    assert np.all(first <= np.array((300, 500)) - 128) and np.all(first + 320 >= np.array((300, 500)) + 128)


def test_cuts_of_small_and_of_empty_images():
    config = dataclasses.replace(CONFIG, cut_side=304)
    for masks, shorter_side in ((np.ones((1, 100, 700), bool), 200), (np.zeros((0, 400, 400), bool), 400)):
        objects = objects_of_masks(masks)
        whole = view_of(objects.size_hw, tf.constant(shorter_side), tf.constant(False), config)
        cut = draw_cut(objects, whole, config, GRID, tf.constant([1, 2], tf.int64))
        np.testing.assert_array_equal(cut.shown_hw, np.minimum(whole.resized_hw, 304))
        assert np.all(cut.origin_yx + cut.shown_hw <= whole.resized_hw)


def test_an_image_of_a_cut_is_a_cut_of_the_image(data):
    record = parse(Records.open([data]).read(tf.constant(0, tf.int64)))
    whole = view_of(objects_of(record).size_hw, tf.constant(267), tf.constant(True), CONFIG)
    cut = whole._replace(origin_yx=tf.constant([16, 64], tf.int64), shown_hw=tf.constant([100, 171], tf.int64))
    np.testing.assert_array_equal(image_of(record, cut), image_of(record, whole)[16:116, 64:235])


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

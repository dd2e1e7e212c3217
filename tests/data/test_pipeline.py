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
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.prepare import prepare, records_writer, refuse
from ifcn_tf.data.records import Records, parse
from ifcn_tf.data.views import image_of, objects_of, view_of
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.tensors import decode
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


def test_whatever_is_drawn_depends_on_the_number_alone(data):
    """Jitter, cuts, background, hard negatives and pasted objects, from example 2 on and on the second of workers."""
    settings = {"cut_side": 168, "scale_jitter": 1.2, "colour_jitter": 0.2, "background_cuts": 0.3}
    config = dataclasses.replace(CONFIG, **settings, hard_negatives=0.5, copy_paste=0.5)
    whole = take(8, [data], config, NETWORK, 7, parallel_calls=1)
    assert_same(take(3, [data], config, NETWORK, 7, start=2, shard=1, num_shards=2), whole[3::2])
    plain = take(8, [data], dataclasses.replace(config, copy_paste=0.0), NETWORK, 7)
    changed = [not np.array_equal(a["image"], b["image"]) for a, b in zip(whole, plain, strict=True)]
    assert 0 < sum(changed) < 8
    assert [e["image_id"] for e in whole] == [e["image_id"] for e in plain]


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


def test_an_image_of_a_cut_is_a_cut_of_the_image(data):
    record = parse(Records.open([data]).read(tf.constant(0, tf.int64)))
    whole = view_of(objects_of(record).size_hw, tf.constant(267), tf.constant(True), CONFIG)
    cut = whole._replace(origin_yx=tf.constant([16, 64], tf.int64), shown_hw=tf.constant([100, 171], tf.int64))
    np.testing.assert_allclose(image_of(record, cut), image_of(record, whole)[16:116, 64:235], atol=0.05)

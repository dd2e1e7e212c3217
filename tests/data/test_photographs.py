"""Whole photographs for validation and pictures: which one is drawn, and damage."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.photographs import find_subject, photographs
from ifcn_tf.data.pipeline import training_example
from ifcn_tf.data.records import Records, parse
from ifcn_tf.images.tensors import IMAGENET_MEAN_BGR
from ifcn_tf.models.instance_fcn.network import build_instance_fcn
from ifcn_tf.training.panel import _crop, draw
from tests.support.narrow_run import NARROW
from tests.support.prepared import prepare_shapes

CONFIG = DataConfig(shorter_sides=(119, 178), fitting_scales=1.0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


def test_the_subject_has_the_most_positive_windows(scenes):
    records = Records.open([scenes])
    counts = []
    for number in range(len(records)):
        _, targets = training_example(parse(records.read(number)), CONFIG, tf.constant([0, number], tf.int64))
        counts.append(float(tf.reduce_sum(targets["labels"])))
    assert len(set(counts)) > 1
    subject, (inputs, targets) = find_subject([scenes], CONFIG)
    assert float(tf.reduce_sum(targets["labels"])) == max(counts)
    expected = list(photographs([scenes], 6))[counts.index(max(counts))]
    assert subject == expected
    assert inputs["image"].shape[2] == 3


@pytest.mark.parametrize("read", [lambda data: find_subject(data, CONFIG), lambda data: list(photographs(data, 6))])
def test_a_damaged_record_is_named(read, tmp_path):
    shard = next(prepare_shapes(tmp_path / "scenes").glob("*-00001-of-*.tfrecord"))
    stored = bytearray(shard.read_bytes())
    stored[200] ^= 1
    shard.write_bytes(stored)
    with pytest.raises(UserError, match=f"prepared data cannot be read: .*damaged.*{shard}"):
        read([tmp_path / "scenes"])


def test_a_window_of_15_cells_shows_its_120_pixels():
    """Of window (9, 2): rows 16 to 136, and columns -40 to 80, of which the image has 70."""
    image = np.zeros((200, 70, 3)) - IMAGENET_MEAN_BGR
    image[16:136] += 200
    crop = _crop(image, np.array([9, 2]), 15)
    assert crop.shape == (120, 120, 3)
    assert (crop[:, 40:110] == 200).all()
    assert (crop[:, :40] == np.array(IMAGENET_MEAN_BGR)[::-1].astype(np.uint8)).all()


def test_the_picture_shows_what_the_run_would_propose(scenes):
    model = build_instance_fcn(NARROW, "float32")
    subject, example = find_subject([scenes], CONFIG)
    configs = [ProposerConfig(shorter_sides=(119,)), ProposerConfig(shorter_sides=(119,), min_area=1e9)]
    some, none = (draw(model, config, subject, example) for config in configs)
    assert not np.array_equal(some, none)

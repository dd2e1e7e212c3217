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
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.models.method import build_network
from ifcn_tf.training.panel import _crop, draw
from tests.support.prepared import prepare_shapes
from tests.support.tiny import TINY

CONFIG = DataConfig(shorter_sides=(119, 178), fitting_scales=1.0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


def test_the_subject_has_the_most_positive_windows(scenes):
    records = Records.open([scenes])
    counts = []
    for number in range(len(records)):
        record, seed = parse(records.read(number)), tf.constant([0, number], tf.int64)
        _, targets = training_example(record, CONFIG, TINY.grid, seed)
        counts.append(float(tf.reduce_sum(targets["labels"])))
    assert len(set(counts)) > 1
    subject, (inputs, targets) = find_subject([scenes], CONFIG, TINY)
    assert float(tf.reduce_sum(targets["labels"])) == max(counts)
    expected = list(photographs([scenes], 6))[counts.index(max(counts))]
    assert subject == expected
    assert inputs["image"].shape[2] == 3


@pytest.mark.parametrize(
    "read", [lambda data: find_subject(data, CONFIG, TINY), lambda data: list(photographs(data, 6))]
)
def test_a_damaged_record_is_named(read, tmp_path):
    shard = next(prepare_shapes(tmp_path / "scenes").glob("*-00001-of-*.tfrecord"))
    stored = bytearray(shard.read_bytes())
    stored[200] ^= 1
    shard.write_bytes(stored)
    with pytest.raises(UserError, match=f"prepared data cannot be read: .*damaged.*{shard}"):
        read([tmp_path / "scenes"])


def test_a_window_of_15_cells_shows_its_120_pixels():
    """Of window (9, 2): rows 16 to 136, and columns -40 to 80, of which the image has 70."""
    image = np.zeros((200, 70, 3), np.float32)
    image[16:136] = 10, 20, 200
    crop = _crop(image, np.array([9, 2]), WindowGrid(8, 15, 15))
    assert crop.shape == (120, 120, 3) and crop.dtype == np.uint8
    assert (crop[:, 40:110] == (10, 20, 200)).all()
    assert (crop[:, :40] == 128).all() and (crop[:, 110:] == 128).all()


def test_the_picture_shows_what_the_run_would_propose(scenes):
    network = build_network(TINY, "float32")
    subject, example = find_subject([scenes], CONFIG, TINY)
    configs = [ProposerConfig(shorter_sides=(119,)), ProposerConfig(shorter_sides=(119,), min_area=1e9)]
    some, none = (draw(network, config, subject, example) for config in configs)
    assert not np.array_equal(some, none)

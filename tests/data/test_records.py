"""Prepared folders: what goes in comes out, and damage is reported with the file's name."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.common.files import UserError, whole_folder
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.photographs import example_of
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.records import FORMAT_VERSION, Records, Writer, parse, serialize
from ifcn_tf.data.views import objects_of
from ifcn_tf.masks.rle import encode
from tests.support.prepared import prepare_shapes


@pytest.fixture
def folder(tmp_path):
    return prepare_shapes(tmp_path / "shapes", 3)


def test_record_round_trip():
    mask = np.zeros((5, 7), bool)
    mask[1:4, 2:7] = True
    objects = (Instance.of_rle(encode(mask), 4, area=14.5), Instance.of_mask(~mask, 9, is_crowd=True))
    example = Example("some id", "a.png", (5, 7), objects, b"bytes")
    record = parse(tf.constant(serialize(example)))
    assert example_of(record) == example
    assert record["image/source_id"] == b"some id" and record["image/encoded"] == b"bytes"
    assert record["image/object/class/label"].numpy().tolist() == [4, 9]
    assert record["image/object/area"].numpy().tolist() == [14.5, 20.0]
    found = objects_of(record)
    assert found.size_hw.numpy().tolist() == [5, 7]
    assert found.is_crowd.numpy().tolist() == [False, True]
    assert found.boxes_yxyx.numpy().tolist() == [[1, 2, 4, 7], [0, 0, 5, 7]]
    # 2 columns of 5 and one pixel, then 3 of each column, with 2 between; the crowd begins with the first pixel.
    assert found.counts.numpy().tolist()[:11] == [11, 3, 2, 3, 2, 3, 2, 3, 2, 3, 1]
    assert found.num_counts.numpy().tolist() == [11, 12]


def test_an_image_without_objects():
    found = objects_of(parse(tf.constant(serialize(Example("1", "a.png", (5, 7), ())))))
    assert found.boxes_yxyx.shape == (0, 4) and found.counts.shape == (0,)


def test_shards_are_ordinary_tfrecords(folder):
    files = sorted(str(path) for path in folder.glob("*.tfrecord"))
    assert [file.rsplit("/", 1)[1] for file in files] == [f"shapes-0000{i}-of-00002.tfrecord" for i in (0, 1)]
    ids = [parse(record)["image/source_id"].numpy().decode() for record in tf.data.TFRecordDataset(files)]
    assert ids == ["000000", "000002", "000001"]
    records = Records.open([folder])
    numbers = range(len(records))
    assert [parse(records.read(tf.constant(n, tf.int64)))["image/source_id"] for n in numbers] == sorted(
        i.encode() for i in ids
    )


def test_description(folder):
    description = json.loads((folder / "dataset.json").read_text())
    assert (description["format_version"], description["examples"]) == (FORMAT_VERSION, 3)
    assert description["categories"]["1"] == "ellipse"
    assert description["report"]["images"] == 3


def test_labels_are_partial_by_folder(folder, tmp_path):
    """Folders of before the flag are labelled fully, and training sees the difference in their negatives."""
    description = json.loads((folder / "dataset.json").read_text())
    assert description.pop("partial") is False
    (folder / "dataset.json").write_text(json.dumps(description))
    other = prepare_shapes(tmp_path / "partial", 2, partial=True)
    records = Records.open([folder, other])
    found = [bool(records.parsed(tf.constant(n, tf.int64))["image/partial"]) for n in range(5)]
    assert found == [False] * 3 + [True] * 2
    config = DataConfig(shorter_sides=(119,), partial_negatives=0.5)
    for data, weights in (([folder], {1.0}), ([other], {0.5, 1.0}), ([other, folder], {0.5, 1.0})):
        examples = training_examples(data, config, InstanceFCNConfig(), 0).take(5)
        seen = np.concatenate([targets["weights"] for _, targets in examples.as_numpy_iterator()])
        assert set(seen) - {0.0} == weights


def shard(folder):
    return folder / "shapes-00001-of-00002.tfrecord"


def test_a_truncated_shard_is_named(folder):
    data = shard(folder).read_bytes()
    shard(folder).write_bytes(data[:-10])
    with pytest.raises(UserError, match=rf"{shard(folder)} has {len(data) - 10} bytes and should have {len(data)}"):
        training_examples([folder], DataConfig(), InstanceFCNConfig(), 0)


@pytest.mark.parametrize("place", [40, -40])
def test_a_flipped_byte_is_named(folder, place):
    data = bytearray(shard(folder).read_bytes())
    data[place] ^= 1
    shard(folder).write_bytes(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"damaged; prepare the data again:.*{shard(folder)}"):
        list(training_examples([folder], DataConfig(shorter_sides=(16,)), InstanceFCNConfig(), 0).take(3))


def test_another_format_version_is_named(folder):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": FORMAT_VERSION + 1}))
    with pytest.raises(UserError, match=rf"{path} has format version {FORMAT_VERSION + 1}"):
        Records.open([folder])


def test_a_shard_of_other_data_is_named(folder, tmp_path):
    """Also one of the same length: its records have other fingerprints."""
    other = bytearray(shard(folder).read_bytes())
    length = struct.unpack("<Q", other[:8])[0]
    other[12 : 12 + length] = bytes(length)
    shard(folder).write_bytes(other)
    with pytest.raises(tf.errors.InvalidArgumentError, match=str(shard(folder))):
        list(training_examples([folder], DataConfig(shorter_sides=(16,)), InstanceFCNConfig(), 0).take(3))


def place_elsewhere(folder, column, value):
    """Of the first record its shard, offset or length."""
    index = np.load(folder / "index.npy")
    index[0, column] = value
    np.save(folder / "index.npy", index)


def describe(folder, **entries):
    """Changes the description."""
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def open_a_bracket(path):
    """In the header of an array, which Python's parser reads."""
    path.write_bytes(path.read_bytes().replace(b"}", b"{", 1))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "dataset.json").unlink(), "holds no dataset.json"),
        (lambda folder: (folder / "dataset.json").write_text("{"), "dataset.json is not valid JSON"),
        (lambda folder: describe(folder, shards=None), "dataset.json is damaged; prepare the data again"),
        (lambda folder: describe(folder, categories={"a": "b"}), "dataset.json is damaged"),
        (lambda folder: describe(folder, shards=[{"file": "a"}] * 2), "dataset.json is damaged"),
        (lambda folder: (folder / "index.npy").unlink(), "cannot read .*index.npy"),
        (lambda folder: np.save(folder / "index.npy", np.zeros((2, 4), np.int64)), "index.npy does not belong"),
        (lambda folder: place_elsewhere(folder, 0, 2), "index.npy does not belong"),  # there are shards 0 and 1
        (lambda folder: place_elsewhere(folder, 1, -1), "index.npy does not belong"),
        (lambda folder: place_elsewhere(folder, 2, 10**9), "index.npy does not belong"),
        (lambda folder: open_a_bracket(folder / "index.npy"), "cannot read .*index.npy"),
        (lambda folder: shard(folder).unlink(), "00001-of-00002.tfrecord has 0 bytes"),
    ],
)
def test_spoilt_folders_are_named(folder, spoil, message):
    spoil(folder)
    with pytest.raises(UserError, match=message):
        Records.open([folder])


def test_no_example_is_an_error(tmp_path):
    with whole_folder(tmp_path / "empty") as folder:
        Writer(folder, "empty", 1).close({"categories": {}})
    with pytest.raises(UserError, match="holds no example"):
        Records.open([tmp_path / "empty"])

"""Figures and pictures of what the trainer sees, and the commands that make them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from pycocotools.coco import COCO

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.annotations.shapes import shapes_source
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.inspection import example_parts, parts, survey
from ifcn_tf.data.pipeline import training_examples
from ifcn_tf.data.prepare import Report, coco_writer, records_writer
from ifcn_tf.data.records import Records
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.files import encode
from ifcn_tf.pictures.targets import draw_targets
from tests.pipelines.test_commands import command

CONFIG, GRID = DataConfig(shorter_sides=(100, 200)), WindowGrid()


def instance(top, left, height, width, is_crowd=False):
    mask = np.zeros((100, 100), bool)
    mask[top : top + height, left : left + width] = True
    return Instance.of_mask(mask, 1, is_crowd)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three images of 100 x 100 px, seen at the scales 1 and 2."""
    picture = np.full((100, 100, 3), (200, 120, 40), np.uint8)
    encoded = tf.io.encode_png(picture).numpy()
    objects = [
        (instance(20, 20, 64, 30), instance(0, 0, 30, 10), instance(0, 90, 90, 10)),  # fits at 2; too small; between
        (instance(40, 40, 64, 40, is_crowd=True), instance(40, 40, 60, 40)),  # a crowd, and an object hidden by it
        (),
    ]
    examples = [Example(str(i), f"{i}.png", (100, 100), some, encoded) for i, some in enumerate(objects)]
    folder = tmp_path_factory.mktemp("data") / "boxes"
    records_writer(shapes_source(1, 0), folder, 1)(examples, Report())
    return folder


def test_survey_by_hand(data):
    found = survey([data], CONFIG, GRID)
    assert (found.images, found.objects) == (3, 5)
    # At scale 2 the first object's centre is (104, 70): 8 i + 4 in 88 .. 120 and in 54 .. 86, four each.
    assert found.positives.tolist() == [0, 16]
    assert found.images_with_positives.tolist() == [0, 1]
    assert found.images_without_positives == 2
    hidden = "its windows belong to nearer objects or lie in a crowd"
    assert found.never_positive == Counter(
        {"too small at every scale": 1, "between two scales": 1, "crowd": 1, hidden: 1}
    )
    lines = list(found.lines(CONFIG))
    assert lines[0] == "3 images, 5 objects"
    assert "  scale  200 px:    5.3 positives an image, 67% of images without" in lines


def test_objects_too_large(data):
    found = survey([data], dataclasses.replace(CONFIG, object_side=4.0), GRID)
    assert found.never_positive["too large at every scale"] == 4


def test_picture(data):
    drawn = parts(Records.open([data]), 0, 200, CONFIG, GRID)
    assert drawn.image_id == "0" and drawn.image.shape == (200, 200, 3)
    np.testing.assert_array_equal(drawn.image[0, 0], (200, 120, 40))
    assert len(drawn.windows) == 1
    # The object lies at [40, 168) x [40, 100) px: 16 rows of cells, 7 columns and the half of an eighth.
    assert drawn.masks.shape == (1, 21, 21) and drawn.masks.sum() == 16 * 8


def test_a_picture_leaves_out_the_negatives_that_training_leaves_out(data, tmp_path):
    folder, config = shutil.copytree(data, tmp_path / "partial"), dataclasses.replace(CONFIG, partial_negatives=0.0)
    description = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**description, "partial": True}))
    assert parts(Records.open([data]), 2, 100, config, GRID).negative.all()
    assert not parts(Records.open([folder]), 2, 100, config, GRID).negative.any()


def test_picture_without_positives(data):
    drawn = parts(Records.open([data]), 2, 100, CONFIG, GRID)
    assert len(drawn.windows) == len(drawn.masks) == 0
    assert draw_targets(*drawn[1:], GRID, "").width == 500  # five times as large


def test_an_example_is_drawn_with_the_windows_that_were_sampled(data):
    """Eight of the 16 positive windows of the one fitting object, as many negatives, and no padding."""
    config = dataclasses.replace(CONFIG, shorter_sides=(200,), num_windows=16, flip_probability=0.0)
    for inputs, targets in training_examples([data], config, InstanceFCNConfig(), 0).take(3).as_numpy_iterator():
        drawn = example_parts(inputs, targets, GRID)
        positives = 8 if drawn.image_id == "0" else 0
        assert (drawn.positive.sum(), drawn.negative.sum()) == (positives, 16 - positives)
        assert len(drawn.windows) == len(drawn.masks) == min(positives, 6)
        assert drawn.positive[tuple(drawn.windows.T)].all() and drawn.masks.sum() == 16 * 8 * len(drawn.windows)
        np.testing.assert_array_equal(drawn.image[0, 0], (200, 120, 40))


def test_a_damaged_record_is_named(data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "damaged")
    (shard,) = folder.glob("*.tfrecord")
    content = bytearray(shard.read_bytes())
    content[40] ^= 1  # in the first record
    shard.write_bytes(content)
    message = rf"^the prepared data cannot be read: .*damaged; prepare the data again:.*{shard}.*\.$"
    with pytest.raises(UserError, match=message):
        survey([folder], CONFIG, GRID)
    with pytest.raises(UserError, match=message):
        parts(Records.open([folder]), 0, 100, CONFIG, GRID)


def test_commands(tmp_path):
    """Prepare, then inspect; a wrong path ends with one sentence."""
    records, pictures = tmp_path / "records", tmp_path / "pictures"
    done = command(
        *("prepare_data", "--source=shapes", "--count=2", "--workers=1", "--num_shards=1"),
        *("--partial", f"--output={records}"),
    )
    assert done.returncode == 0, done.stderr
    assert "2 images with" in done.stdout
    description = json.loads((records / "dataset.json").read_text())
    assert (description["examples"], description["partial"]) == (2, True)
    done = command("inspect_data", f"--data={records}", f"--output={pictures}", "--pictures=1", "--examples=2")
    assert done.returncode == 0, done.stderr
    assert "positives an image" in done.stdout
    assert len(list(pictures.glob("000000_*.png"))) == 6
    assert sorted(path.name[:13] for path in pictures.glob("example_*")) == ["example_00000", "example_00001"]
    done = command("prepare_data", "--source=shapes", "--partial", "--format=coco", f"--output={tmp_path / 'a.json'}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: --partial has no place in a COCO json")
    for flag, sentence in (
        ("--names=a.txt", "--names: leave out with --source=shapes"),
        ("--copy_images=a", "--copy_images: needs --format=coco"),
    ):
        done = command("prepare_data", "--source=shapes", flag, f"--output={tmp_path / 'b'}")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith(f"error: {sentence}")
    done = command("prepare_data", "--source=voc", f"--root={tmp_path}", f"--output={tmp_path / 'voc'}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot read") and done.stderr.count("\n") == 1
    assert not (tmp_path / "voc").exists()


def test_the_name_of_a_copy_is_that_of_its_content(tmp_path):
    """A TIFF is copied as PNG."""
    (example,) = [job().example for job in shapes_source(1, 0).jobs]
    example = dataclasses.replace(example, encoded=encode(Image.new("RGB", (60, 40)), "PNG"))
    examples = [dataclasses.replace(example, file_name=name) for name in ("a.tif", "b.png")]
    coco_writer(shapes_source(1, 0), tmp_path / "file.json", tmp_path / "images")(examples, Report())
    names = [image["file_name"] for image in json.loads((tmp_path / "file.json").read_text())["images"]]
    assert names == ["a.tif.png", "b.png"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == names


def test_a_copy_takes_the_place_of_no_other_photograph(tmp_path):
    """Of its own original neither: an upright copy of a photograph that EXIF turns has other bytes."""
    (example,) = [job().example for job in shapes_source(1, 0).jobs]
    write = coco_writer(shapes_source(1, 0), tmp_path / "file.json", tmp_path)
    other = dataclasses.replace(example, encoded=encode(Image.new("RGB", (60, 40)), "PNG"))
    (tmp_path / example.file_name).write_bytes(other.encoded)
    with pytest.raises(UserError, match=f"{example.file_name} is there already, and another file"):
        write([example], Report())
    assert (tmp_path / example.file_name).read_bytes() == other.encoded
    assert not (tmp_path / "file.json").exists()
    write([other], Report())


def test_images_are_copied_beside_a_coco_json(tmp_path):
    source = shapes_source(2, 0)
    examples = [job().example for job in source.jobs]
    coco_writer(source, tmp_path / "shapes.json", tmp_path / "images")(examples, Report())
    truth = COCO(tmp_path / "shapes.json")
    assert set(truth.imgs) == {0, 1}
    for image in truth.imgs.values():
        assert Image.open(tmp_path / "images" / image["file_name"]).size == (image["width"], image["height"])

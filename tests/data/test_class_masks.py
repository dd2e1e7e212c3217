"""Class masks from their source to training examples."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ifcn_tf.annotations.label_images import class_image
from ifcn_tf.annotations.reading import ImageLeftOutError
from ifcn_tf.annotations.shapes import shapes_source
from ifcn_tf.annotations.voc import voc_source
from ifcn_tf.common.classes import VOID
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import FCNConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.class_masks import class_mask_example, require_classes
from ifcn_tf.data.photographs import classes_of, photographs
from ifcn_tf.data.prepare import Report, of_categories, records_writer
from ifcn_tf.data.records import parse, serialize
from tests.support.narrow_fcn import CLASSES, LIGHT
from tests.support.prepared import prepare_shapes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes", 3)


@pytest.fixture(scope="module")
def colourful():
    """A record whose photograph shows the value of its class mask: class n is of brightness 10 n."""
    example = next(iter(shapes_source(1, seed=5).jobs))().example
    classes = classes_of(example)
    pixels = np.repeat(10 * classes[..., None], 3, -1)
    return parse(tf.constant(serialize(dataclasses.replace(example, encoded=tf.io.encode_png(pixels).numpy()))))


def test_a_class_mask_has_the_class_of_the_objects(scenes):
    for example in photographs([scenes], 3):
        classes = classes_of(example)
        assert classes.shape == example.size_hw
        for item in example.objects:
            mask = np.zeros(example.size_hw, bool)
            mask |= tf.io.decode_png(example.classes).numpy()[..., 0] == item.category_id
            assert mask.sum() >= item.pixels


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("cut", [0, 200])
def test_classes_follow_the_photograph_at_its_own_size(colourful, flip, cut):
    """Where nothing is interpolated, the brightness of each pixel is ten times its class."""
    side = int(min(colourful["image/height"], colourful["image/width"]))
    config = DataConfig(shorter_sides=(side,), flip_probability=flip, cut_side=cut)
    inputs, targets = class_mask_example(colourful, config, tf.constant([0, 3], tf.int64))
    assert targets["classes"].shape == inputs["image"].shape[:2]
    assert not cut or targets["classes"].shape == (200, 200)
    np.testing.assert_allclose(inputs["image"][..., 0], 10 * targets["classes"], atol=1e-3)
    assert len(np.unique(targets["classes"])) > 1


def test_classes_follow_the_photograph_at_another_size(colourful):
    """But along outlines, where brightness is between that of two classes."""
    config = DataConfig(shorter_sides=(257,), scale_jitter=1.3, cut_side=200)
    inputs, targets = class_mask_example(colourful, config, tf.constant([0, 1], tf.int64))
    brightness, classes = inputs["image"][..., 0].numpy(), targets["classes"].numpy()
    assert (np.abs(brightness - 10 * classes) < 1).mean() > 0.9


def test_of_categories_others_are_background_and_numbers_close_up(tmp_path):
    source = of_categories(shapes_source(2, seed=3), ["box", "star"])
    examples = [job().example for job in source.jobs]
    for example, before in zip(examples, (job().example for job in shapes_source(2, seed=3).jobs), strict=True):
        classes, all_classes = classes_of(example), classes_of(before)
        for value, was in ((1, 2), (2, 4)):
            np.testing.assert_array_equal(classes == value, all_classes == was)
        assert classes.max() <= 2
    records_writer(source, tmp_path / "two", 1)(examples, Report(images=2))
    require_classes([tmp_path / "two"], FCNConfig(classes=("background", "box", "star")), DataConfig())


def test_void_pixels_stay_void_and_unknown_values_are_none():
    kept = class_image(np.array([[0, 2], [VOID, 7]]), {2: "two", 7: "seven"}, "x.jpg")
    np.testing.assert_array_equal(tf.io.decode_png(kept)[..., 0], [[0, 1], [VOID, 2]])
    assert class_image(None, {}, "x.jpg") == b""
    with pytest.raises(
        ImageLeftOutError, match=r"x\.jpg: its class mask has the value 3, and there are 0 to 2 and 255"
    ):
        class_image(np.array([[3]]), {2: "two", 7: "seven"}, "x.jpg")


def test_a_photograph_of_voc_whose_class_mask_goes_beyond_the_classes_is_left_out(tmp_path):
    instances, classes = np.zeros((2, 8, 9), np.uint8)
    instances[2:5, 3:6], classes[2:5, 3:6], classes[7, 8] = 1, 15, 21
    for folder, picture in (("SegmentationObject", instances), ("SegmentationClass", classes)):
        (tmp_path / folder).mkdir()
        Image.fromarray(picture).save(tmp_path / folder / "a.png")
    (tmp_path / "JPEGImages").mkdir()
    Image.new("RGB", (9, 8)).save(tmp_path / "JPEGImages" / "a.jpg")
    (tmp_path / "names.txt").write_text("a\n")
    (loaded,) = (job() for job in voc_source(tmp_path, tmp_path / "names.txt").jobs)
    assert loaded.example is None
    assert loaded.problems[0].kind == "unknown class" and "has the value 21" in loaded.problems[0].where


def test_data_of_other_classes_or_without_masks_are_refused(scenes, tmp_path):
    require_classes([scenes], LIGHT, DataConfig())
    with pytest.raises(
        UserError, match=r"has the classes ellipse, .* --set model.classes='\[\"background\", \"ellipse\""
    ):
        require_classes([scenes], FCNConfig(), DataConfig())
    with pytest.raises(UserError, match=r"data\.copy_paste must be 0 with fcn"):
        require_classes([scenes], LIGHT, DataConfig(copy_paste=0.5))
    example = next(iter(photographs([scenes], 1)))
    bare = dataclasses.replace(example, classes=b"")
    records_writer(shapes_source(2, 3), tmp_path / "bare", 1)([bare, example], Report(images=2))
    with pytest.raises(UserError, match=r"1 of the 2 photographs of .*bare have no class mask"):
        require_classes([tmp_path / "bare"], dataclasses.replace(LIGHT, classes=CLASSES), DataConfig())

"""Layers and loss of the mask classifier."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import MaskClassifierConfig
from ifcn_tf.config.presets import PRESETS, with_settings
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.mask_classifier.loss import roi_losses, roi_statistics
from ifcn_tf.models.method import build_network
from tests.support.narrow_classifier import NARROW
from tests.support.narrow_fcn import PADDED

BOXES = np.array([[[50, 60, 110, 130], [70, 70, 100, 100]]], np.float32)
SHIFT = np.array([16, 32, 16, 32], np.float32)
MASKS = np.random.default_rng(0).uniform(size=(1, 2, 14, 14)).astype(np.float32)


def connected(inputs, width, classes):
    """Parameters of two paths of two layers, and of what says classes and boxes."""
    path = inputs * width + width + width * width + width
    return 2 * path + (2 * width + 1) * (classes + 4 * (classes - 1))


@pytest.mark.parametrize("width", [5, 6])
def test_parameters_are_counted(width):
    config = dataclasses.replace(NARROW, trunk=PADDED.trunk, fc_channels=width)  # VGG-16 with 4 channels in the end
    model = build_network(config, "float32").model
    trunk = sum(layer.count_params() for layer in model.layers if layer.name.startswith("block"))
    assert model.count_params() - trunk == connected(49 * 4, width, 7)


def test_as_published_it_has_two_hundred_and_forty_million():
    published = with_settings(PRESETS["paper"], ["model.method=mask_classifier"]).model
    assert published == MaskClassifierConfig()
    assert (published.trunk, published.stride, published.fc_channels, published.dropout) == ("vgg16", 16, 4096, 0.5)
    assert connected(49 * 512, published.fc_channels, len(published.classes)) == 239_919_205


def test_a_shift_of_image_and_boxes_by_the_stride_changes_nothing():
    network = build_network(NARROW, "float32")
    image = np.zeros((1, 240, 240, 3), np.float32)
    image[:, 60:110, 70:120] = np.random.default_rng(1).uniform(0, 255, (50, 50, 3))
    inputs = {"image": image, "boxes_yxyx": BOXES, "roi_masks": MASKS}
    moved = {"image": np.roll(image, (16, 32), (1, 2)), "boxes_yxyx": BOXES + SHIFT, "roi_masks": MASKS}
    here, there = network.model(inputs), network.model({name: tf.cast(v, tf.float32) for name, v in moved.items()})
    np.testing.assert_allclose(here["class_logits"], there["class_logits"], atol=1e-5)
    assert np.abs(here["class_logits"][0, 0] - here["class_logits"][0, 1]).max() > 1e-4
    np.testing.assert_allclose(here["class_boxes"] + SHIFT, there["class_boxes"], atol=1e-3)


def test_the_loss_by_hand():
    """Of four regions one is padding; of the three others one has a class, and two a box."""
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [1, 1, 1]]], np.float32))
    said = np.zeros((1, 4, 2, 4), np.float32)
    said[0, 1, 0], said[0, 2, 1] = [0.5, 0, 0, 0], [3, 0, 0, 0]
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (1, 4, 1))
    targets = {
        "classes": tf.constant([[0, 1, 0, 2]]),
        "box_classes": tf.constant([[0, 1, 2, 2]]),
        "wanted_boxes": tf.constant(boxes),
        "weights": tf.constant([[1.0, 1, 1, 0]]),
    }
    outputs = {"class_logits": tf.constant(logits), "box_refinements": tf.constant(said)}
    found = roi_losses(outputs, {"boxes_yxyx": tf.constant(boxes)}, targets)
    losses = {name: float(value) for name, value in found.items()}
    assert losses["class_loss"] == pytest.approx(-np.log([0.5, 0.6, 0.1]).mean(), rel=1e-5)
    assert losses["box_loss"] == pytest.approx((0.5**2 / 2 + 3 - 0.5) / 3, rel=1e-5)
    assert losses["loss"] == pytest.approx(losses["class_loss"] + losses["box_loss"])
    statistics = {name: float(value) for name, value in roi_statistics(outputs, targets).items()}
    assert statistics == pytest.approx({"foreground": 1, "class_accuracy": 2 / 3, "foreground_accuracy": 1})


def test_no_region_is_no_loss():
    outputs = {"class_logits": tf.zeros([1, 2, 3]), "box_refinements": tf.zeros([1, 2, 2, 4])}
    targets = {"classes": tf.zeros([1, 2], tf.int32), "box_classes": tf.zeros([1, 2], tf.int32)}
    targets |= {"wanted_boxes": tf.zeros([1, 2, 4]), "weights": tf.zeros([1, 2])}
    assert roi_losses(outputs, {"boxes_yxyx": tf.zeros([1, 2, 4])}, targets)["loss"] == 0


def test_the_network_takes_its_own_loss():
    network, inputs = build_network(NARROW, "float32"), {"image": tf.zeros([1, 64, 64, 3])}
    inputs |= {"boxes_yxyx": tf.constant(BOXES), "roi_masks": tf.constant(MASKS)}
    targets = {"classes": tf.zeros([1, 2], tf.int32), "box_classes": tf.zeros([1, 2], tf.int32)}
    targets |= {"wanted_boxes": tf.constant(BOXES), "weights": tf.ones([1, 2])}
    losses = network.losses(network.model(inputs), inputs, targets, LossConfig())
    assert float(losses["class_loss"]) == pytest.approx(np.log(7), abs=0.2) and losses["box_loss"] == 0


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("classes", ("background",), "classes needs 2 names or more"),
        ("classes", ("a", "b", "a"), "classes has a name twice"),
        ("category_ids", (1, 2), "category_ids has 2 numbers for 6 classes"),
        ("category_ids", (1, 2, 3, 4, 5, 5), "category_ids has a number twice"),
        ("stride", 32, "stride must be 8 or 16"),
        ("fc_channels", 0, "fc_channels must be positive"),
        ("dropout", 1.0, "dropout must lie in 0..1"),
        ("trunk", "vgg17", "the nearest is vgg16"),
    ],
)
def test_settings_that_cannot_be(field, value, sentence):
    with pytest.raises(UserError, match=sentence):
        dataclasses.replace(NARROW, **{field: value})


def test_cuts_are_refused_and_numbers_kept():
    with pytest.raises(UserError, match=r"data\.cut_side must be 0 with mask_classifier"):
        with_settings(PRESETS["classifier"], ["data.cut_side=384"])
    numbered = dataclasses.replace(NARROW, classes=("background", "cup", "spoon"), category_ids=(7, 3))
    assert numbered.categories == {7: "cup", 3: "spoon"}

"""Laws of DeepMask's network: what a window sees, and that sliding is the same as looking at crops."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import TRUNKS, DeepMaskConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.method import build_network
from ifcn_tf.models.parts.dropout import Dropout
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.trunks.trunk import Trunk
from tests.support.narrow_deepmask import NARROW

FULL = dataclasses.replace(NARROW, low_rank=0, score_channels=(5,))


class CellTrunk(Trunk):
    """A cell sees its own 16 x 16 pixels alone, so that a cut at whole cells changes no feature."""

    groups = ("cell",)

    def features(self, image, stride, channels, dtype):
        options = {"activation": "relu", "dtype": dtype, "name": "cell_conv"}
        kernel = keras.initializers.RandomNormal(stddev=1e-3, seed=0)
        return Conv2D(6, stride, strides=stride, padding="same", kernel_initializer=kernel, **options)(image)

    def load_imagenet(self, model, source):
        raise UserError("nobody trained it")


CELL, TRUNKS["cell"] = CellTrunk(), f"{__name__}:CELL"


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


def every_window(height, width):
    return np.argwhere(np.ones((height, width))).astype(np.int32)


def dense(network, image):
    """What the model for inference says of every window: logits [n] and [n, m, m]."""
    windows = every_window(*(-(-side // 16) for side in image.shape[1:3]))
    model = network.window_model(ProposerConfig())

    @tf.function
    def both(image):
        features = model.features(image)
        return model.objectness(features, windows), model.masks(features, windows)

    return windows, *(values.numpy() for values in both(tf.constant(image)))


def test_mask_layers_have_the_papers_parameters():
    """512 x 14 x 14 x 512 and 512 x 56 x 56 on VGG-16: "the two fc layers under this setting have 53M parameters"."""
    model = build_network(DeepMaskConfig(), "float32").model
    assert sum(model.get_layer(name).count_params() for name in ("mask_code", "mask")) == 52_985_856
    assert model.get_layer("score_hidden1").kernel.shape == (7 * 7 * 512, 512)
    assert model.get_layer("score_hidden2").kernel.shape == (512, 1024)


@pytest.mark.parametrize("config", [NARROW, FULL], ids=["low rank", "full"])
def test_the_dense_network_at_a_position_is_the_crop_network_on_that_crop(config):
    """Also where the crop overhangs the image, of which it then is what lies within."""
    network, image = build_network(dataclasses.replace(config, trunk="cell"), "float32"), images(1, 112, 96, 3)
    windows, objectness, masks = dense(network, image)
    assert objectness.std() > 1e-2 and masks.std() > 1e-2
    for n, window in enumerate(windows):
        first, end = np.maximum(window - 2, 0), window + 2  # 4 cells, which end within the image or beyond
        crop = image[:, 16 * first[0] : 16 * end[0], 16 * first[1] : 16 * end[1]]
        outputs = network.model({"image": crop, "windows": (window - first)[None, None]})
        np.testing.assert_allclose(outputs["objectness_logits"][0, 0], objectness[n], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(outputs["mask_logits"][0, 0], masks[n], rtol=1e-4, atol=1e-4)


def test_a_crop_is_seen_through_plain_layers():
    """The same in NumPy: the mask from all cells of the crop, the score from the 2 x 2 maxima of its features."""
    network = build_network(NARROW, "float32")
    image = images(1, 64, 64, 3)
    maps, weights = network.map_model(image), {layer.name: layer.get_weights() for layer in network.model.layers}
    outputs = network.model({"image": image, "windows": np.array([[[2, 2]]], np.int32)})
    code = maps["mask_features"].numpy().reshape(-1) @ weights["mask_code"][0]
    np.testing.assert_allclose(outputs["mask_logits"][0, 0].numpy().ravel(), code @ weights["mask"][0], atol=1e-4)
    x = maps["score_features"].numpy().reshape(2, 2, 2, 2, -1).max((1, 3)).ravel()
    for name in ("score_hidden1", "score_hidden2"):
        x = np.maximum(x @ weights[name][0] + weights[name][1], 0)
    np.testing.assert_allclose(outputs["objectness_logits"][0], x @ weights["objectness"][0], atol=1e-4)


def test_in_bfloat16_the_model_for_inference_is_near_that_of_float32():
    image = images(1, 100, 70, 3)
    exact, rounded = (dense(build_network(NARROW, precision), image)[1:] for precision in ("float32", "bfloat16"))
    for a, b in zip(exact, rounded, strict=True):
        assert b.dtype == np.float32
        assert 0 < abs(a - b).mean() < 0.2 * a.std()


def test_no_window_has_no_mask():
    """As on a scale none of whose windows is among the best."""
    model = build_network(NARROW, "float32").window_model(ProposerConfig())
    features = model.features(tf.constant(images(1, 64, 64, 3)))
    assert model.masks(features, np.zeros((0, 2), np.int32)).shape == (0, 16, 16)


def test_dropout_keeps_the_mean_and_depends_on_its_inputs_alone():
    layer, x = Dropout(0.25, seed=1), images(1, 50, 400)
    dropped = layer(x, training=True).numpy()
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(dropped[dropped > 0], (x / 0.75)[dropped > 0], rtol=1e-6)
    np.testing.assert_array_equal(layer(x, training=True), dropped)
    for other in (Dropout(0.25, seed=2)(x, training=True), layer(x + np.float32(1), training=True)):
        assert ((other.numpy() == 0) != (dropped == 0)).mean() > 0.2
    np.testing.assert_array_equal(layer(x, training=False), x)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_cells": 7}, "window_cells must be even and positive, not 7"),
        ({"mask_cells": 42}, "mask_cells must be 1, 2, 4, 8 or 16 times window_cells = 14, not 42"),
        ({"score_channels": ()}, "score_channels needs at least one width"),
        ({"dropout": 1.0}, r"dropout must lie in 0\.\.1, below 1, not 1\.0"),
        ({"low_rank": -1}, "low_rank must not be negative, not -1"),
    ],
)
def test_layers_that_cannot_be_built_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        DeepMaskConfig(**values)

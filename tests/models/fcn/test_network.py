"""FCN's laws: its parameters, its published form, sizes of all kinds, shifts."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import FCNConfig, require_windows
from ifcn_tf.models.method import build_network
from tests.models.fcn.test_upsampling import transposed
from tests.support.narrow_fcn import CLASSES, LIGHT, PADDED
from tests.support.tiny import TINY

SIZES = [(1, 1), (1, 40), (7, 5), (16, 16), (31, 33), (32, 32), (64, 1), (65, 97), (100, 37), (128, 96), (224, 224)]


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (1, height, width, 3)).astype(np.float32)


def with_random_scores(config):
    """Score layers begin as zeros, of which no law can be seen."""
    network, rng = build_network(config, "float32"), np.random.default_rng(1)
    for layer in (layer for layer in network.model.layers if layer.name.startswith("scores_stride")):
        layer.set_weights([rng.normal(0, 1, weight.shape) for weight in layer.get_weights()])
    return network


@pytest.fixture(scope="module", params=[PADDED, LIGHT], ids=["padded", "light"])
def network(request):
    return with_random_scores(request.param)


@pytest.mark.parametrize(("stride", "skips"), [(32, 0), (16, 512 * 21 + 21), (8, 512 * 21 + 21 + 256 * 21 + 21)])
def test_the_published_network_has_its_parameters(stride, skips, monkeypatch):
    """Convolutions of VGG-16: 14,714,688. fc6: 7 x 7 x 512 x 4096 + 4096. fc7: 4096 x 4096 + 4096. Scores: 4096 x 21
    + 21. Upsampling has none."""
    monkeypatch.setattr(keras.initializers.HeNormal, "__call__", lambda self, shape, dtype: tf.zeros(shape, dtype))
    model = build_network(FCNConfig(stride=stride), "float32").model
    assert model.count_params() == 14_714_688 + 102_764_544 + 16_781_312 + 86_037 + skips


def published(network, image, stride):
    """FCN as its authors wrote it down for Caffe, of the weights and pooled maps of a network."""
    layers = [network.model.get_layer(f"block{block}_pool").output for block in (5, 4, 3)]
    pools = keras.Model(network.map_model.input, layers)(image)
    weights = {layer.name: layer.get_weights() for layer in network.model.layers if layer.weights}

    def scored(name, x):
        kernel, bias = weights[name]
        return tf.nn.conv2d(x, kernel, 1, "VALID") + bias

    def cropped(x, offset, like):
        return x[:, offset : offset + like.shape[1], offset : offset + like.shape[2]]

    x = tf.nn.relu(scored("fc7", tf.nn.relu(scored("fc6", pools[0]))))
    x = scored("scores_stride32", x)
    if stride == 32:
        return cropped(transposed(x, 32), 19, image)
    x = transposed(x, 2)
    x += cropped(scored("scores_stride16", pools[1]), 5, x)
    if stride == 16:
        return cropped(transposed(x, 16), 27, image)
    x = transposed(x, 2)
    x += cropped(scored("scores_stride8", pools[2]), 9, x)
    return cropped(transposed(x, 8), 31, image)


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_on_vgg_it_is_the_published_network(stride):
    network = with_random_scores(dataclasses.replace(PADDED, stride=stride))
    for size_hw in ((1, 1), (43, 90)):
        image = photograph(*size_hw)
        np.testing.assert_allclose(network.map_model(image)["scores"], published(network, image, stride), atol=1e-3)


def test_the_padding_is_100_pixels_around_the_first_convolution(network):
    """After a convolution without padding a side is 198 px longer; pooled, it is half as long, rounded up."""
    if network.trunk.padding:
        pooled = network.model.get_layer("block1_pool").output
        assert keras.Model(network.map_model.input, pooled)(photograph(7, 10)).shape[1:3] == (103, 104)


@pytest.mark.parametrize("size_hw", [*SIZES, (375, 500)])
def test_scores_have_the_size_of_the_image(network, size_hw):
    scores = network.map_model(photograph(*size_hw))["scores"]
    assert scores.shape == (1, *size_hw, len(CLASSES)) and scores.dtype == tf.float32
    assert np.isfinite(scores).all()


def test_an_image_that_is_shifted_by_the_stride_shifts_its_scores(network):
    """By 32 rows and 64 columns, 288 px away from the borders of both parts of a scene."""
    scene = photograph(672, 704)
    here, there = (network.map_model(part)["scores"][0] for part in (scene[:, 32:, 64:], scene[:, :-32, :-64]))
    expected = there[288 + 32 : -288 + 32, 288 + 64 : -288 + 64]
    assert expected.shape[:2] == (64, 64) and np.ptp(expected) > 0.1
    np.testing.assert_allclose(here[288:-288, 288:-288], expected, atol=2e-3)


def test_scores_begin_as_zeros():
    scores = build_network(LIGHT, "float32").map_model(photograph(33, 40))["scores"]
    assert not np.any(scores)


def test_a_trunk_without_such_maps_is_refused():
    with pytest.raises(UserError, match="trunk TinyTrunk has no maps of stride 8, 16 and 32"):
        build_network(dataclasses.replace(LIGHT, trunk=TINY.trunk))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("stride", 4, "stride must be 32, 16 or 8, not 4"),
        ("classes", ("background",), "classes needs 2 to 255 names"),
        ("classes", ("a", "b", "a"), "classes has a name twice"),
        ("fc_cells", 4, "fc_cells must be odd"),
        ("fc_channels", 0, "fc_channels must be positive"),
        ("dropout", 1.0, "dropout must lie in"),
        ("trunk", "vgg61", "the nearest is vgg16"),
    ],
)
def test_wrong_settings_are_refused(field, value, sentence):
    with pytest.raises(UserError, match=sentence):
        dataclasses.replace(LIGHT, **{field: value})


def test_it_has_no_windows():
    with pytest.raises(UserError, match="fcn has no windows and proposes nothing"):
        require_windows(LIGHT)

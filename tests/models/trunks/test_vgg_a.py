"""VGG-A in torchvision's terms, on a few channels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.models.trunks.vgg_a import VGGA

CHANNELS = (2, 3, 4, 5, 6)
#: Of torchvision's "features": a convolution's module and width, or None for pooling.
MODULES = [(0, 2), None, (3, 3), None, (6, 4), (8, 4), None, (11, 5), (13, 5), None, (16, 6), (18, 6)]


@pytest.fixture
def model():
    image = keras.Input((None, None, 3))
    return keras.Model(image, VGGA(CHANNELS).features(image, 16, 0, "float32"))


@pytest.fixture
def arrays():
    """Random weights by their names, with axes [out, in, 3, 3]."""
    random, found, width = np.random.default_rng(0), {}, 3
    for module in filter(None, MODULES):
        found[f"features.{module[0]}.weight"] = random.normal(0, 0.5, (module[1], width, 3, 3)).astype(np.float32)
        found[f"features.{module[0]}.bias"] = random.normal(0, 0.5, module[1]).astype(np.float32)
        width = module[1]
    return found


def as_torchvision(image, arrays):
    x = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for module in MODULES:
        if module is None:
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        else:
            kernel = arrays[f"features.{module[0]}.weight"].transpose(2, 3, 1, 0)
            x = tf.nn.conv2d(tf.cast(x, tf.float32), kernel, 1, "SAME") + arrays[f"features.{module[0]}.bias"]
            x = tf.nn.relu(x)
    return x


def test_features_are_those_of_torchvisions_network(model, arrays, tmp_path):
    np.savez(tmp_path / "vgg11.npz", **arrays, **{"classifier.0.bias": np.zeros(1)})
    VGGA(CHANNELS).load_imagenet(model, str(tmp_path / "vgg11.npz"))
    image = np.random.default_rng(1).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    expected = as_torchvision(image, arrays)
    assert expected.shape == (1, 4, 6, 6) and float(tf.math.reduce_std(expected)) > 0.1
    np.testing.assert_allclose(model(image), expected, rtol=1e-4, atol=1e-4)


def test_weights_come_from_the_user(model, arrays, tmp_path):
    with pytest.raises(UserError, match="there is no imagenet with ImageNet weights of vgg_a: give the path"):
        VGGA(CHANNELS).load_imagenet(model, "imagenet")
    del arrays["features.18.bias"]
    np.savez(tmp_path / "vgg11.npz", **arrays)
    with pytest.raises(UserError, match=r"vgg11\.npz does not hold the weights of vgg_a: features\.18 differs"):
        VGGA(CHANNELS).load_imagenet(model, str(tmp_path / "vgg11.npz"))

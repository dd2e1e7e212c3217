"""Laws of the trunk: preprocessing, stride, alignment, ImageNet weights."""

import keras
import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.models.trunks.trunk import trunk_of
from ifcn_tf.models.trunks.vgg16 import VGG16, CaffePreprocessing

NARROW = VGG16((8, 8, 8, 16, 16))


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


def trunk_model(trunk, stride):
    image = keras.Input((None, None, 3))
    return keras.Model(image, trunk.features(image, stride, 256, "float32"))


@pytest.fixture(scope="module")
def narrow():
    return trunk_model(NARROW, 8)


def test_preprocessing_by_hand():
    # RGB (10, 20, 30) becomes BGR (30, 20, 10) minus the mean, without division.
    result = CaffePreprocessing()(np.full((1, 2, 3, 3), [10, 20, 30], np.float32)).numpy()
    np.testing.assert_allclose(result[0, 1, 2], [30 - 103.939, 20 - 116.779, 10 - 123.68], atol=1e-5)
    assert result.shape == (1, 2, 3, 3)


def strided_vgg16(like):
    """The trunk of stride 16: pool4 strides, on the same centres as the pool of stride 1, and conv5 is not dilated."""
    image = keras.Input((None, None, 3))
    x = CaffePreprocessing()(image)
    for block, depth in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, depth + 1):
            source = like.get_layer(f"block{block}_conv{i}")
            layer = keras.layers.Conv2D(source.filters, 3, padding="same", activation="relu", dtype="float32")
            x = layer(x)
            layer.set_weights(source.get_weights())
        if block < 4:
            x = keras.layers.MaxPooling2D(2, 2, padding="same")(x)
        elif block == 4:  # the ReLU makes 0 a neutral padding
            x = keras.layers.MaxPooling2D(3, 2, padding="valid")(keras.layers.ZeroPadding2D(1)(x))
    return keras.Model(image, x)


def test_atrous_trunk_subsampled_is_the_strided_trunk(narrow):
    image = images(1, 232, 264, 3)
    dense = narrow(image)[0].numpy()
    strided = strided_vgg16(narrow)(image)[0].numpy()
    assert dense.shape == (29, 33, 16)
    assert strided.shape == (15, 17, 16)
    assert strided.std() > 0.1
    # Away from borders: three 3 x 3 convolutions see 3 cells of stride 16.
    np.testing.assert_allclose(dense[::2, ::2][3:-3, 3:-3], strided[3:-3, 3:-3], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 71), (119, 159), (8, 9), (1, 1)])
@pytest.mark.parametrize("stride", [8, 16])
def test_map_has_a_cell_for_every_stride_begun(stride, size_hw):
    features = trunk_model(NARROW, stride)(images(1, *size_hw, 3))
    assert features.shape == (1, -(-size_hw[0] // stride), -(-size_hw[1] // stride), 16)


def test_other_strides_are_refused():
    with pytest.raises(UserError, match="vgg16 has features of stride 8 or 16, not 4"):
        trunk_model(NARROW, 4)


def test_imagenet_weights_are_keras_vgg16(backbone_weights):
    trunk = trunk_of("vgg16")
    vgg16 = keras.applications.VGG16(include_top=False, weights=backbone_weights)
    image = images(1, 64, 96, 3)
    preprocessed = image[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
    model = trunk_model(trunk, 16)
    trunk.load_imagenet(model, str(backbone_weights))
    expected = keras.Model(vgg16.input, vgg16.get_layer("block5_conv3").output)(preprocessed)
    np.testing.assert_allclose(model(image), expected, rtol=1e-3, atol=1e-2)


def test_files_that_hold_no_vgg16_are_refused(tmp_path, narrow):
    narrow.save_weights(tmp_path / "narrow.weights.h5")
    (tmp_path / "text.weights.h5").write_text("no weights")
    before = narrow.get_weights()
    for name in ("narrow.weights.h5", "text.weights.h5"):
        with pytest.raises(UserError, match=f"{name}"):
            NARROW.load_imagenet(narrow, str(tmp_path / name))
    with pytest.raises(UserError, match="there is no weights file"):
        NARROW.load_imagenet(narrow, str(tmp_path / "absent.h5"))
    assert all((a == b).all() for a, b in zip(before, narrow.get_weights(), strict=True))


def vgg16_of_keras(include_top, weights=None):
    """As `keras.applications.VGG16`, with one convolution of 4 channels and fully connected layers of 6."""
    image = keras.Input((224, 224, 3))
    x = keras.layers.Conv2D(4, 3, 32, padding="same", name="block5_conv3")(image)
    if include_top:
        x = keras.layers.Flatten()(x)
        for name in ("fc1", "fc2", "predictions"):
            x = keras.layers.Dense(6, name=name)(x)
    model = keras.Model(image, x)
    if weights:
        model.load_weights(weights)
    return model


@pytest.mark.parametrize("include_top", [True, False])
def test_fully_connected_layers_of_a_file_become_convolutions(include_top, monkeypatch, tmp_path):
    """Their inputs are laid out row by row. A file without them gives the other convolutions alone."""
    monkeypatch.setattr(keras.applications, "VGG16", vgg16_of_keras)
    monkeypatch.setattr("ifcn_tf.models.trunks.vgg16._FC_CHANNELS", 6)
    theirs, path = vgg16_of_keras(include_top), tmp_path / "vgg16.weights.h5"
    theirs.save_weights(path)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, 32, padding="same", name="block5_conv3")(image)
    fc6 = keras.layers.Conv2D(6, 7, name="fc6")(x)
    ours = keras.Model(image, keras.layers.Conv2D(6, 1, name="fc7")(fc6))
    before = ours.get_layer("fc6").get_weights()[0]
    NARROW.load_imagenet(ours, str(path))
    scene = images(1, 224, 224, 3)
    if include_top:
        expected = keras.Model(theirs.input, theirs.get_layer("fc2").output)(scene)
        np.testing.assert_allclose(ours(scene)[:, 0, 0], expected, rtol=1e-4, atol=1e-2)
    else:
        np.testing.assert_allclose(keras.Model(image, x)(scene), theirs(scene), rtol=1e-5)
        np.testing.assert_array_equal(ours.get_layer("fc6").get_weights()[0], before)

"""Laws of the network: stride, alignment, precision, weights."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import ModelConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.instance_fcn.assembler import OUTSIDE_LOGIT
from ifcn_tf.models.instance_fcn.inference import InferenceModel
from ifcn_tf.models.method import build_network
from ifcn_tf.models.parts.layers import Conv2D
from ifcn_tf.models.parts.precision import dtype_policy
from ifcn_tf.models.weights import load_backbone, load_weights, read_model_config, read_proposer_config

NARROW = {"trunk_channels": (8, 8, 8, 16, 16), "branch_channels": 16}


@pytest.fixture(scope="module")
def narrow():
    return build_network(ModelConfig(**NARROW), "float32")


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 50, shape).astype(np.float32)


def maps(model, *names):
    return keras.Model(model.input["image"], [model.get_layer(name).output for name in names])


def strided_vgg16(like):
    """The trunk of stride 16: pool4 strides, on the same centres as the pool of stride 1, and conv5 is not dilated."""
    x = image = keras.Input((None, None, 3))
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
    dense = maps(narrow, "block5_conv3")(image)[0].numpy()
    strided = strided_vgg16(narrow)(image)[0].numpy()
    assert dense.shape == (29, 33, 16)
    assert strided.shape == (15, 17, 16)
    assert strided.std() > 0.1
    # Away from borders: three 3 x 3 convolutions see 3 cells of stride 16.
    np.testing.assert_allclose(dense[::2, ::2][3:-3, 3:-3], strided[3:-3, 3:-3], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 71), (119, 159), (8, 9), (1, 1)])
def test_map_has_a_cell_for_every_8_px_begun(narrow, size_hw):
    score_maps, objectness = maps(narrow, "score_maps", "objectness_map")(images(1, *size_hw, 3))
    expected = (1, -(-size_hw[0] // 8), -(-size_hw[1] // 8))
    assert score_maps.shape == (*expected, 25)
    assert objectness.shape == (*expected, 1)


@pytest.mark.parametrize("k", [3, 5, 7])
def test_outputs_are_the_maps_seen_through_windows(k):
    model = build_network(ModelConfig(k=k, **NARROW), "float32")
    image, windows = images(1, 100, 120, 3), np.array([[[0, 0], [12, 14], [5, 7]]], np.int32)
    outputs = model({"image": image, "windows": windows})
    score_maps, objectness = maps(model, "score_maps", "objectness_map")(image)
    assert outputs["mask_logits"].shape == (1, 3, 21, 21)
    for n, (y, x) in enumerate(windows[0]):
        assert outputs["objectness_logits"][0, n] == objectness[0, y, x, 0]
        assert outputs["mask_logits"][0, n, 10, 10] == score_maps[0, y, x, (k // 2) * k + k // 2]  # the central part


def test_a_batch_equals_singles(narrow):
    image, windows = images(3, 80, 96, 3), np.random.default_rng(1).integers((10, 12), size=(3, 5, 2)).astype(np.int32)
    batch = narrow({"image": image, "windows": windows})
    for i in range(3):
        single = narrow({"image": image[i : i + 1], "windows": windows[i : i + 1]})
        for name, value in single.items():
            np.testing.assert_allclose(batch[name][i : i + 1], value, rtol=1e-4, atol=1e-5)


def test_an_image_shifted_by_8_px_gives_maps_shifted_by_one_cell(narrow):
    scene = images(1, 400, 400, 3)
    network = maps(narrow, "score_maps", "objectness_map")
    for here, there in zip(network(scene[:, 8:, 16:]), network(scene[:, :-8, :-16]), strict=True):
        inner = np.s_[0, 14:-14, 14:-14]  # the trunk and the branches see 13 cells to either side
        np.testing.assert_allclose(there[:, 1:, 2:][inner], here[:, :-1, :-2][inner], rtol=1e-4, atol=1e-5)


def test_the_inference_model_is_the_model_and_keeps_its_weights():
    model = build_network(ModelConfig(k=3, window_cells=15, **NARROW), "float32")
    image, windows = images(1, 90, 70, 3), np.array([[3, 4], [11, 8], [0, 0]], np.int32)
    before = model({"image": image, "windows": windows[None]})
    frozen = InferenceModel(model)
    for weight in model.weights:
        weight.assign_add(tf.ones_like(weight))
    assert not np.allclose(model({"image": image, "windows": windows[None]})["mask_logits"], before["mask_logits"])

    @tf.function
    def both():
        features = frozen.features(tf.constant(image))
        return frozen.objectness(features, windows), frozen.masks(features, windows)

    objectness, masks = both()
    np.testing.assert_allclose(objectness, before["objectness_logits"][0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(masks, before["mask_logits"][0], rtol=1e-4, atol=1e-5)


def test_weights_are_float32_in_either_precision():
    for precision in ("float32", "bfloat16", "auto"):
        model = build_network(ModelConfig(**NARROW), precision)
        assert {weight.dtype for weight in model.weights} == {"float32"}
        outputs = model({"image": images(1, 40, 40, 3), "windows": np.zeros((1, 1, 2), np.int32)})
        assert {value.dtype for value in outputs.values()} == {tf.float32}
    assert dtype_policy("bfloat16") == "mixed_bfloat16"
    with pytest.raises(UserError, match="precision must be"):
        dtype_policy("float16")


def test_convolution_equals_keras_own_in_training_and_inference():
    ours = Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")
    keras_own = keras.layers.Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")
    x = tf.constant(images(2, 17, 12, 4))
    keras_own.build(x.shape)
    ours.build(x.shape)
    ours.set_weights([keras_own.get_weights()[0], np.linspace(-9, 9, 6)])
    keras_own.set_weights(ours.get_weights())
    for training in (False, True):
        np.testing.assert_allclose(ours(x, training=training), keras_own(x), rtol=1e-4, atol=1e-3)


def test_new_layers_start_as_the_paper_says():
    model = build_network(ModelConfig(), "float32")
    for name in ("score_hidden", "score_maps", "objectness_hidden", "objectness_map"):
        kernel, bias = model.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx(0.01, rel=0.15)
        assert not bias.any()
    # Section 4.1: "our last k^2-d convolutional layer has only 0.1M parameters", 512 x 3 x 3 x 25.
    assert model.get_layer("score_maps").kernel.shape == (3, 3, 512, 25)


def test_saved_weights_come_back(tmp_path, narrow):
    path = tmp_path / "model.weights.h5"
    narrow.save_weights(path)
    other = build_network(ModelConfig(**NARROW), "float32")
    for weight in other.weights:
        weight.assign(tf.zeros_like(weight))
    load_weights(other, path)
    for mine, theirs in zip(other.get_weights(), narrow.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert read_model_config(path) is None
    (tmp_path / "config.json").write_text('{"model": {"k": 3}}')
    assert read_model_config(path) == ModelConfig(k=3)


def test_weights_that_do_not_fit_are_refused(tmp_path, narrow):
    path = tmp_path / "model.weights.h5"
    narrow.save_weights(path)
    (tmp_path / "text.weights.h5").write_text("no weights")
    (tmp_path / "cut.weights.h5").write_bytes(path.read_bytes()[:5000])
    k3 = build_network(ModelConfig(k=3, **NARROW), "float32")
    before = k3.get_weights()
    with pytest.raises(UserError, match=r"model\.weights\.h5 holds weights for k = 5, the model has k = 3"):
        load_weights(k3, path)
    with pytest.raises(UserError, match="another architecture: block1_conv1/kernel has shape"):
        load_weights(build_network(ModelConfig(trunk_channels=(4,) * 5, branch_channels=4), "float32"), path)
    for name in ("text.weights.h5", "cut.weights.h5"):
        with pytest.raises(UserError, match=f"{name} is no weights file"):
            load_weights(k3, tmp_path / name)
    with pytest.raises(UserError, match="there is no weights file"):
        load_weights(k3, tmp_path / "absent.weights.h5")
    with pytest.raises(UserError, match="does not hold the convolutions of a VGG-16"):
        load_backbone(k3, str(path))
    assert all((a == b).all() for a, b in zip(before, k3.get_weights(), strict=True))
    (tmp_path / "config.json").write_text('{"k": 3}')
    with pytest.raises(UserError, match='has no "model" section'):
        read_model_config(path)


def test_the_settings_beside_weights(tmp_path):
    path, described = tmp_path / "model.weights.h5", tmp_path / "config.json"
    assert read_proposer_config(path) == ProposerConfig()
    described.write_text('{"model": {"k": 3}}')
    assert read_proposer_config(path) == ProposerConfig()
    described.write_text('{"proposer": {"nms_iou": 0.5, "shorter_sides": [100, 200]}}')
    assert read_proposer_config(path) == ProposerConfig(nms_iou=0.5, shorter_sides=(100, 200))
    for content, message in (
        ("7", 'has no "proposer" section, or one that is no object'),
        ('{"proposer": 7}', 'has no "proposer" section, or one that is no object'),
        ('{"proposer": {"nms": 0.5}}', r"proposer\.nms: ProposerConfig has no such setting"),
        ('{"proposer": {"nms_iou": 5}}', r"proposer\.nms_iou must lie in"),
    ):
        described.write_text(content)
        with pytest.raises(UserError, match=r"config\.json.*" + message):
            read_proposer_config(path)


def test_backbone_is_keras_vgg16(backbone_weights):
    model = build_network(ModelConfig(), "float32")
    load_backbone(model, str(backbone_weights))
    vgg16 = keras.applications.VGG16(include_top=False, weights=backbone_weights)
    image = images(1, 64, 96, 3)
    for name in ("block1_conv2", "block4_conv3"):  # up to pool4 both are the same network
        expected = keras.Model(vgg16.input, vgg16.get_layer(name).output)(image)
        np.testing.assert_allclose(maps(model, name)(image)[0], expected[0], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("cpu_flags", "capabilities", "expected"),
    [
        ("fpu avx512f", [], "float32"),
        ("fpu avx512_bf16", [], "mixed_bfloat16"),
        ("fpu amx_bf16", [], "mixed_bfloat16"),
        ("fpu", [(8, 0), (9, 0)], "mixed_bfloat16"),
        ("fpu amx_bf16", [(7, 5)], "float32"),
        ("fpu amx_bf16", [(9, 0), (7, 0)], "float32"),
    ],
)
def test_auto_precision_follows_the_machine(monkeypatch, cpu_flags, capabilities, expected):
    details = [{"compute_capability": capability} for capability in capabilities]
    monkeypatch.setattr(Path, "read_text", lambda self: cpu_flags)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: details)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: device)
    assert dtype_policy("auto") == expected


def test_bfloat16_is_near_float32():
    """Without photographs or weights: logits of a narrow network differ by a few percent of their spread."""
    inputs = {"image": images(1, 160, 200, 3), "windows": np.array([[[9, 9], [12, 15], [4, 20]]], np.int32)}
    exact, rounded = (build_network(ModelConfig(**NARROW), p)(inputs) for p in ("float32", "bfloat16"))
    for name, value in exact.items():
        on_map = value.numpy() > OUTSIDE_LOGIT
        difference = (rounded[name].numpy() - value.numpy())[on_map]
        assert 0 < abs(difference).mean() < 0.05 * value.numpy()[on_map].std()

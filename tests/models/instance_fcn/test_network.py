"""Laws of the network: maps, windows, precision."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.instance_fcn.assembler import OUTSIDE_LOGIT
from ifcn_tf.models.method import build_network, output_shapes
from tests.support.tiny import TINY


@pytest.fixture(scope="module")
def tiny():
    return build_network(TINY, "float32")


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 71), (119, 159), (8, 9), (1, 1)])
def test_maps_have_a_cell_for_every_8_px_begun(tiny, size_hw):
    maps = tiny.map_model(images(1, *size_hw, 3))
    expected = (1, -(-size_hw[0] // 8), -(-size_hw[1] // 8))
    assert maps["score_maps"].shape == (*expected, 25)
    assert maps["objectness_map"].shape == (*expected, 1)
    shapes = output_shapes(tiny.map_model, *size_hw)
    assert shapes["score_maps"] == (*expected, 25) and shapes["tiny1_conv"] == (1, *size_hw, 8)


@pytest.mark.parametrize("k", [3, 5, 7])
def test_outputs_are_the_maps_seen_through_windows(k):
    network = build_network(dataclasses.replace(TINY, k=k), "float32")
    image, windows = images(1, 100, 120, 3), np.array([[[0, 0], [12, 14], [5, 7]]], np.int32)
    outputs = network.model({"image": image, "windows": windows})
    maps = network.map_model(image)
    assert outputs["mask_logits"].shape == (1, 3, 21, 21)
    for n, (y, x) in enumerate(windows[0]):
        assert outputs["objectness_logits"][0, n] == maps["objectness_map"][0, y, x, 0]
        central = (k // 2) * k + k // 2
        assert outputs["mask_logits"][0, n, 10, 10] == maps["score_maps"][0, y, x, central]


def test_a_batch_equals_singles(tiny):
    image, windows = images(3, 80, 96, 3), np.random.default_rng(1).integers((10, 12), size=(3, 5, 2)).astype(np.int32)
    batch = tiny.model({"image": image, "windows": windows})
    for i in range(3):
        single = tiny.model({"image": image[i : i + 1], "windows": windows[i : i + 1]})
        for name, value in single.items():
            np.testing.assert_allclose(batch[name][i : i + 1], value, rtol=1e-4, atol=1e-5)


def test_an_image_shifted_by_8_px_gives_maps_shifted_by_one_cell(tiny):
    scene = images(1, 400, 400, 3)
    here_maps, there_maps = (tiny.map_model(part) for part in (scene[:, 8:, 16:], scene[:, :-8, :-16]))
    for name, here in here_maps.items():
        there = there_maps[name]
        inner = np.s_[0, 14:-14, 14:-14]  # the trunk and the branches see 13 cells to either side
        np.testing.assert_allclose(there[:, 1:, 2:][inner], here[:, :-1, :-2][inner], rtol=1e-4, atol=1e-5)


def test_the_model_for_inference_is_the_model_and_keeps_its_weights():
    network = build_network(dataclasses.replace(TINY, k=3, window_cells=15), "float32")
    model = network.model
    image, windows = images(1, 90, 70, 3), np.array([[3, 4], [11, 8], [0, 0]], np.int32)
    before = model({"image": image, "windows": windows[None]})
    frozen = network.window_model(ProposerConfig())
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


def test_relative_positions_too_narrow_to_blend_are_refused(tiny):
    with pytest.raises(UserError, match="blend_cells must be 1 or less with k = 5, not 2"):
        tiny.window_model(ProposerConfig(blend_cells=2))


def test_weights_are_float32_in_either_precision():
    for precision in ("float32", "bfloat16", "auto"):
        network = build_network(TINY, precision)
        assert {weight.dtype for weight in network.model.weights} == {"float32"}
        outputs = network.model({"image": images(1, 40, 40, 3), "windows": np.zeros((1, 1, 2), np.int32)})
        assert {value.dtype for value in outputs.values()} == {tf.float32}
        assert network.precision in ((precision,) if precision != "auto" else ("float32", "bfloat16"))


def test_new_layers_start_as_the_paper_says():
    model = build_network(InstanceFCNConfig(), "float32").model
    for name in ("score_hidden", "score_maps", "objectness_hidden", "objectness_map"):
        kernel, bias = model.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx(0.01, rel=0.15)
        assert not bias.any()
    # Section 4.1: "our last k^2-d convolutional layer has only 0.1M parameters", 512 x 3 x 3 x 25.
    assert model.get_layer("score_maps").kernel.shape == (3, 3, 512, 25)


def test_bfloat16_is_near_float32():
    """Without photographs or weights: logits of a tiny network differ by a few percent of their spread."""
    inputs = {"image": images(1, 160, 200, 3), "windows": np.array([[[9, 9], [12, 15], [4, 20]]], np.int32)}
    exact, rounded = (build_network(TINY, p).model(inputs) for p in ("float32", "bfloat16"))
    for name, value in exact.items():
        on_map = value.numpy() > OUTSIDE_LOGIT
        difference = (rounded[name].numpy() - value.numpy())[on_map]
        assert 0 < abs(difference).mean() < 0.05 * value.numpy()[on_map].std()

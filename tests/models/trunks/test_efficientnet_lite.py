"""Laws of EfficientNet-Lite as a trunk: its sizes, padding, alignment, and a normalisation that stays."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import LossConfig
from ifcn_tf.models.method import build_network, output_shapes
from ifcn_tf.models.parts.normalized import Normalized, for_inference
from ifcn_tf.models.trunks.efficientnet_lite import LitePreprocessing
from ifcn_tf.models.trunks.trunk import trunk_of
from ifcn_tf.models.weights import load_weights, save_weights, take_fitting_weights
from ifcn_tf.predictor import Predictor, load_saved_model
from ifcn_tf.saved_model.export import export
from ifcn_tf.training.optimizer import MomentumSGD
from ifcn_tf.training.step import TrainStep
from tests.support.exported import scene
from tests.support.narrow_lite import NARROW_LITE, TRUNK
from tests.support.onnx_run import assert_same_features

#: Pixels that a cell of the narrow trunk sees to either side: a block a stage, the interpolation, the last convolution.
SEEN = 160
STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")
PROPOSER = ProposerConfig(shorter_sides=(64, 90), num_proposals=20, nms_iou=0.9, mask_threshold=0.1)


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


def trunk_model(trunk, stride=8, dtype="float32", channels=16):
    image = keras.Input((None, None, 3))
    return keras.Model(image, trunk.features(image, stride, channels, dtype))


def randomize_statistics(model, seed=0):
    """Statistics as training leaves them: none of them 0 or 1."""
    random = np.random.default_rng(seed)
    for layer in (layer for layer in model.layers if isinstance(layer, Normalized)):
        size = layer.gamma.shape
        layer.gamma.assign(random.uniform(0.5, 2, size))
        layer.beta.assign(random.normal(0, 0.5, size))
        layer.moving_mean.assign(random.normal(0, 0.2, size))
        layer.moving_variance.assign(random.uniform(0.2, 2, size))


@pytest.fixture(scope="module")
def narrow():
    model = trunk_model(TRUNK)
    randomize_statistics(model)
    return model


@pytest.fixture(scope="module")
def network():
    network = build_network(NARROW_LITE, "float32")
    randomize_statistics(network.model)
    return network


def layers_of(trunk, prefix=""):
    return [
        layer
        for layer in trunk_model(trunk).layers
        if layer.name.startswith(trunk.groups) and layer.name.startswith(prefix)
    ]


def numbers(layers, kinds):
    return sum(math.prod(v.shape) for layer in layers for v in layer.weights if v.name in kinds)


@pytest.mark.parametrize(
    ("size", "channels", "blocks", "published", "last"),
    [
        (0, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), 4_652_008, 320),
        (1, (16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1), 5_416_680, 320),
        (2, (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1), 6_092_072, 352),
    ],
)
def test_sizes_are_the_published_ones(size, channels, blocks, published, last):
    """Published counts are of trained parameters, with the head of 1280 channels and the classifier of 1000 classes."""
    trunk = trunk_of(f"efficientnet_lite{size}")
    assert tuple(stage.channels for stage in trunk.stages) == channels
    assert tuple(stage.blocks for stage in trunk.stages) == blocks
    head = last * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert numbers(layers_of(trunk), ("kernel", "gamma", "beta")) + head == published


def test_the_parameters_of_a_stage_by_hand():
    """Stage 7 of Lite2 is one block, 208 -> 1248 -> 352 channels, with four numbers of normalisation a channel."""
    expand, depthwise, project = 208 * 1248 + 4 * 1248, 3 * 3 * 1248 + 4 * 1248, 1248 * 352 + 4 * 352
    stage = layers_of(trunk_of("efficientnet_lite2"), "stage7_")
    assert numbers(stage, ("kernel", *STATISTICS)) == expand + depthwise + project


def test_stages_have_their_strides():
    shapes = output_shapes(trunk_model(TRUNK), 128, 192)
    strides = {"stem_conv": 2, "stage1": 2, "stage2": 4, "stage3": 8, "stage4": 16, "stage5": 16, "stage6": 32}
    for name, stride in {**strides, "stage7": 32}.items():
        layer = name if name == "stem_conv" else f"{name}_block1_project"
        assert shapes[layer][1:3] == (128 // stride, 192 // stride), name
    assert shapes["fusion"] == (1, 16, 24, 16)


@pytest.mark.parametrize("size_hw", [(64, 64), (65, 71), (119, 159), (8, 9), (1, 1), (1, 33)])
@pytest.mark.parametrize("stride", [8, 16])
def test_map_has_a_cell_for_every_stride_begun(stride, size_hw):
    model, expected = trunk_model(TRUNK, stride), tuple(-(-side // stride) for side in size_hw)
    assert model(images(1, *size_hw, 3)).shape == (1, *expected, 16)
    assert output_shapes(model, *size_hw)["fusion"] == (1, *expected, 16)


def test_other_strides_are_refused():
    with pytest.raises(UserError, match="lite_narrow has features of stride 8 or 16, not 4"):
        trunk_model(TRUNK, 4)


def test_preprocessing_by_hand():
    result = LitePreprocessing()(np.full((1, 33, 3, 3), [127, 255, -1], np.float32)).numpy()
    assert result.shape == (1, 64, 32, 3)
    assert result[0, 32, 2].tolist() == [0, 1, -1]
    assert not result[0, 33:].any() and not result[0, :, 3:].any()
    assert LitePreprocessing().compute_output_shape((1, 33, None, 3)) == (1, 64, None, 3)


@pytest.mark.parametrize("beyond_hw", [(20, 9), (40, 30)])
def test_what_lies_beyond_the_end_changes_no_cell_that_does_not_see_it(narrow, beyond_hw):
    larger = images(1, 400 + beyond_hw[0], 420 + beyond_hw[1], 3)
    inner = np.s_[0, : (400 - SEEN) // 8, : (420 - SEEN) // 8]
    here, there = narrow(larger[:, :400, :420])[inner].numpy(), narrow(larger)[inner].numpy()
    assert here.std() > 0.1
    np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-4 * here.std())


def test_an_image_shifted_by_32_px_gives_maps_shifted_by_four_cells(narrow):
    scene_ = images(1, 480, 512, 3)
    here, there = narrow(scene_[:, 32:, 64:])[0].numpy(), narrow(scene_[:, :-32, :-64])[0].numpy()
    edge = SEEN // 8
    np.testing.assert_allclose(
        there[4:, 8:][edge:-edge, edge:-edge], here[:-4, :-8][edge:-edge, edge:-edge], rtol=1e-4, atol=1e-4 * here.std()
    )


def test_folded_it_answers_the_same(narrow):
    image = images(2, 75, 130, 3)
    expected = narrow(image).numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(for_inference(narrow)(image), expected, rtol=1e-4, atol=1e-4 * expected.std())


def test_bfloat16_is_near_float32():
    image = images(1, 100, 130, 3)
    exact, rounded = (trunk_model(TRUNK, 8, dtype)(image) for dtype in ("float32", "mixed_bfloat16"))
    assert rounded.dtype == tf.bfloat16
    difference = np.abs(tf.cast(rounded, tf.float32) - exact)
    assert 0 < difference.mean() < 0.05 * exact.numpy().std()


def element():
    random = np.random.default_rng(0)
    masks = random.integers(0, 2, (4, 21, 21)).astype(np.float32)
    inputs = {"image": tf.constant(images(96, 96, 3)), "windows": tf.constant(random.integers(0, 12, (4, 2)), tf.int32)}
    targets = {"labels": tf.constant([1.0, 1.0, 0.0, 0.0]), "weights": tf.ones(4), "masks": tf.constant(masks)}
    return inputs, targets


@pytest.mark.parametrize("frozen", [0, 3])
def test_a_step_moves_the_kernels_of_trained_groups_and_no_normalisation(frozen):
    network = build_network(NARROW_LITE, "float32")
    randomize_statistics(network.model)
    network.freeze(frozen)
    variables = {variable.path: variable for variable in network.model.weights}
    before = {path: variable.numpy() for path, variable in variables.items()}
    example = element()
    spec = tf.nest.map_structure(tf.TensorSpec.from_tensor, example)
    optimizer = MomentumSGD([v.value for v in network.model.trainable_variables], momentum=0.9, decay=0.1)
    step = TrainStep(network, optimizer, LossConfig(), 1, spec)
    for _ in range(2):
        step.accumulate(example)
        step.update(0.001)
    moved = {path for path, variable in variables.items() if not np.array_equal(variable, before[path])}
    normalization = {path for path in variables if path.split("/")[1] in STATISTICS}
    kept = {path for path in variables if path.startswith(TRUNK.groups[:frozen])}
    assert len(normalization) == 4 * 21
    assert moved == set(variables) - normalization - kept


def test_weights_come_back_and_fit_networks_of_other_heads(network, tmp_path):
    save_weights(network, tmp_path, {}, {})
    path, image = tmp_path / "model.weights.h5", images(1, 50, 70, 3)
    again, other = build_network(NARROW_LITE, "float32"), build_network(
        InstanceFCNConfig(k=3, trunk="lite_narrow", fusion_channels=16, branch_channels=16), "float32"
    )  # fmt: skip
    load_weights(again, path)
    np.testing.assert_array_equal(again.map_model(image)["score_maps"], network.map_model(image)["score_maps"])
    assert take_fitting_weights(other, path) == ["score_maps"]
    np.testing.assert_array_equal(other.trunk_model(image), network.trunk_model(image))


def test_a_trunk_of_another_size_is_refused(network, tmp_path):
    save_weights(network, tmp_path, {}, {})
    config = InstanceFCNConfig(trunk="efficientnet_lite0", fusion_channels=16, branch_channels=16)
    with pytest.raises(UserError, match=r"holds the weights of another architecture: \S+ differs"):
        load_weights(build_network(config, "float32"), tmp_path / "model.weights.h5")


def test_exported_it_proposes_the_same(network, tmp_path):
    image = scene(0, (75, 110))
    expected = Predictor.of_network(network, PROPOSER).propose(image)
    assert len(expected) > 3
    found = load_saved_model(export(network, PROPOSER, tmp_path)).propose(image)
    assert found.rles == expected.rles
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


def test_as_onnx_it_has_the_same_features(network):
    assert_same_features(network, PROPOSER, [images(1, *size_hw, 3) for size_hw in ((1, 1), (33, 70), (64, 96))])

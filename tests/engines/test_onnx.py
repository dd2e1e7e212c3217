"""The network as an ONNX file and the proposer in NumPy, each step against TensorFlow's."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines import onnx_images, onnx_proposer
from ifcn_tf.engines.onnx_export import export_onnx
from ifcn_tf.engines.onnx_predictor import OnnxPredictor
from ifcn_tf.engines.onnx_proposer import NumpyProposer
from ifcn_tf.geometry import WindowGrid
from ifcn_tf.images.tensors import resize
from ifcn_tf.models.instance_fcn.assembler import assemble, assemble_blended
from ifcn_tf.models.method import build_network
from ifcn_tf.models.trunks import vgg16
from ifcn_tf.models.weights import save_weights
from ifcn_tf.predictor import Predictor
from ifcn_tf.proposing import proposer
from ifcn_tf.proposing.network import load_network
from tests.support.dots import DotsConfig
from tests.support.tiny import TINY

CONFIG = ProposerConfig(shorter_sides=(60, 90), num_proposals=60, pre_nms=150, nms_iou=0.9, min_area=30.0)


@pytest.fixture(scope="module")
def network():
    return build_network(dataclasses.replace(TINY, k=3, window_cells=15), "float32")


@pytest.fixture(scope="module")
def onnx_file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(network, CONFIG, path)
    return path


def photograph(height, width, seed=0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width, 3)), (6, 6, 0))
    return (128 + 100 * noise / abs(noise).max()).astype(np.uint8)


sides = st.integers(1, 70)


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 2**32 - 1))
def test_resizing_is_that_of_tensorflow(height, width, new_height, new_width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    expected = tf.image.resize(image, [new_height, new_width], antialias=True).numpy()
    np.testing.assert_allclose(onnx_images.resize(image, new_height, new_width), expected, atol=2e-3)


def test_a_photograph_is_resized_as_in_training():
    image = photograph(123, 77)
    expected = resize(tf.constant(image), 50, 31).numpy()
    np.testing.assert_allclose(onnx_images.resize(image, 50, 31), expected, atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(1, 30), st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]), st.integers(0, 2**32 - 1))
def test_suppression_is_that_of_tensorflow(boxes, count, iou, seed):
    """On a coarse grid, so that equal scores, equal boxes, boxes without area and IoUs at the limit all occur."""
    random = np.random.default_rng(seed)
    corners = random.integers(0, 8, (boxes, 2, 2))
    yxyx = np.concatenate([corners.min(1), corners.max(1)], 1).astype(np.float32)
    scores = (random.integers(0, 10, boxes) / 10).astype(np.float32)
    expected = tf.image.non_max_suppression(yxyx, scores, count, iou).numpy()
    np.testing.assert_array_equal(onnx_proposer.non_max_suppression(yxyx, scores, count, iou), expected)


@pytest.mark.parametrize(("k", "cells"), [(5, 21), (3, 15), (7, 20)])
def test_assembling_and_boxes_are_those_of_tensorflow(k, cells):
    random = np.random.default_rng(k)
    maps = random.normal(size=(9, 13, k * k)).astype(np.float32)
    windows = np.stack(np.unravel_index(np.arange(9 * 13), (9, 13)), 1)
    expected = assemble(tf.constant(maps[None]), tf.constant(windows[None], tf.int32), k, cells)[0].numpy()
    ours = onnx_proposer.assemble(maps, windows, k, cells)
    np.testing.assert_array_equal(ours, expected)
    if cells // k > 2:
        blended = assemble_blended(tf.constant(maps[None]), tf.constant(windows[None], tf.int32), k, cells, 1)[0]
        np.testing.assert_allclose(onnx_proposer.assemble(maps, windows, k, cells, 1), blended, rtol=1e-5, atol=1e-5)
    places = np.sort(random.uniform(0, 100, (len(windows), 2, 2)), 1).reshape(-1, 4).astype(np.float32)
    inside = ours > 1.5
    inside[:, 0, 0] = True  # no mask is empty
    boxes = proposer.tight_boxes(tf.constant(inside), tf.constant(places)).numpy()
    np.testing.assert_allclose(onnx_proposer.tight_boxes(inside, places), boxes, atol=1e-5)


@pytest.mark.parametrize("size_hw", [(60, 80), (97, 61), (8, 200), (1, 1)])
def test_the_file_has_the_maps_of_the_network(size_hw, network, onnx_file):
    assert_same_maps(network, onnx_file, size_hw)


def assert_same_maps(network, file, size_hw):
    image = np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype(np.float32)
    expected = network.window_model(CONFIG).features(tf.constant(image))
    score_maps, objectness = OnnxPredictor(file)._network(image)
    np.testing.assert_allclose(score_maps, expected["score_maps"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(objectness, expected["objectness_logits"], rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory):
    """A network on a VGG-16 with fewer channels, and its file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "TRUNK", vgg16.VGG16((8, 8, 8, 16, 16)))
        network = build_network(InstanceFCNConfig(branch_channels=16), "float32")
    path = tmp_path_factory.mktemp("vgg16") / "model.onnx"
    export_onnx(network, CONFIG, path)
    return network, path


@pytest.mark.parametrize("size_hw", [(97, 61), (8, 200)])
def test_preprocessing_and_dilated_convolutions_are_in_the_file(size_hw, vgg16_file):
    assert_same_maps(*vgg16_file, size_hw)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"blend_cells": 1, "confidence_weight": 0.8, "overlap_penalty": 2.0},
        {"confidence_weight": 0.8, "overlap_penalty": 2.0, "num_proposals": 3, "num_ranked": 5},
        {"scale_factors": (0.3, 2**0.5)},
        {"edge_samples": 3, "overlap_penalty": 2.0},
    ],
)
@pytest.mark.parametrize("size_hw", [(70, 100), (131, 77), (5, 40), (7, 9)])
def test_the_proposer_is_that_of_tensorflow(size_hw, changes, network):
    """On the very same maps, every step after the network has to decide the same."""
    config = dataclasses.replace(CONFIG, **changes)
    model, image = network.window_model(config), photograph(*size_hw)

    def maps(resized):
        features = model.features(tf.constant(resized))
        return features["score_maps"].numpy(), features["objectness_logits"].numpy()

    ours = NumpyProposer(maps, config, 3, WindowGrid(8, 15, 15))(image)
    expected = proposer.Proposer(model, config, WindowGrid(8, 15, 15)).compile()(image)
    assert len(ours["scores"]) == len(expected["scores"]) > 0
    for name, tolerance in (("scores", 1e-5), ("boxes_yxyx", 1e-3), ("windows_yxyx", 1e-3), ("mask_logits", 1e-3)):
        assert ours[name].dtype == np.float32
        np.testing.assert_allclose(ours[name], expected[name], rtol=1e-4, atol=tolerance, err_msg=name)


def test_the_same_proposals_as_the_predictor(network, onnx_file):
    image = photograph(90, 120, seed=1)
    ours, expected = OnnxPredictor(onnx_file).propose(image), Predictor.of_network(network, CONFIG).propose(image)
    assert len(ours) == len(expected) > 10
    np.testing.assert_allclose(ours.scores, expected.scores, atol=1e-5)
    assert np.diag(coco_mask.iou(ours.rles, expected.rles, [0] * len(ours))).min() > 0.99


def test_an_image_file_is_read_as_it_is_proposed_from(onnx_file, tmp_path):
    """So that the proposals can be drawn over it."""
    pixels = photograph(50, 60)
    for name in ("a.png", "a.tif"):
        Image.fromarray(pixels).save(tmp_path / name)
        predictor = OnnxPredictor(onnx_file, max_pixels=3000)
        np.testing.assert_array_equal(predictor.read(str(tmp_path / name)), pixels)
        image, proposals = predictor.propose_file(tmp_path / name)
        np.testing.assert_array_equal(image, pixels)
        assert proposals.rles == predictor.propose(pixels).rles
    with pytest.raises(BadImageError, match="over the limit of 2999"):
        OnnxPredictor(onnx_file, max_pixels=2999).read(tmp_path / "a.png")


def test_settings_travel_in_the_file_and_can_be_changed(onnx_file):
    assert OnnxPredictor(onnx_file).config == CONFIG
    assert len(OnnxPredictor(onnx_file, num_proposals=3).propose(photograph(50, 60))) == 3
    relative = OnnxPredictor(onnx_file, scale_factors=(0.5, 1), num_ranked=70).config
    assert relative == dataclasses.replace(CONFIG, scale_factors=(0.5, 1.0), num_ranked=70)
    with pytest.raises(UserError, match="nms_iou must lie in"):
        OnnxPredictor(onnx_file, nms_iou=2.0)
    with pytest.raises(UserError, match="blend_cells must be 2 or less with k = 3, not 3"):
        OnnxPredictor(onnx_file, blend_cells=3)
    with pytest.raises(UserError, match="must be uint8"):
        OnnxPredictor(onnx_file).propose(np.zeros((5, 5), np.uint8))


def test_bad_files_end_with_one_sentence(tmp_path):
    (tmp_path / "no.onnx").write_text("nothing")
    with pytest.raises(UserError, match=r"no\.onnx is no ONNX file of pipelines\.export"):
        OnnxPredictor(tmp_path / "no.onnx")
    with pytest.raises(UserError, match=r"cannot read .*absent\.onnx: No such file"):
        OnnxPredictor(tmp_path / "absent.onnx")
    with pytest.raises(UserError, match="not one of bfloat16: ask for precision float32"):
        export_onnx(build_network(TINY, "bfloat16"), CONFIG, tmp_path / "x.onnx")
    with pytest.raises(UserError, match="holds score maps, which dots has none of"):
        export_onnx(build_network(DotsConfig(trunk="tiny"), "float32"), CONFIG, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_weights_with_their_settings_become_a_file(network, onnx_file, tmp_path):
    save_weights(network, tmp_path, {"proposer": CONFIG.to_dict()}, {})
    export_onnx(*load_network(tmp_path / "model.weights.h5", precision="float32"), tmp_path / "again.onnx")
    image = photograph(64, 64)
    again, first = OnnxPredictor(tmp_path / "again.onnx"), OnnxPredictor(onnx_file)
    assert again.config == first.config
    assert again.propose(image).rles == first.propose(image).rles


def test_it_runs_without_tensorflow(vgg16_file):
    program = (
        "import sys, numpy; from ifcn_tf.engines.onnx_predictor import OnnxPredictor;"
        f"print(len(OnnxPredictor({str(vgg16_file[1])!r}).propose(numpy.zeros((40, 50, 3), 'uint8'))));"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0

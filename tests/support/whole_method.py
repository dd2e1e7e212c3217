"""What the tests of files that hold the whole method share: a proposer with everything, and what it is to find."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_mask

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.focus import Focus, build_focus
from ifcn_tf.models.refiner import Refiner, build_refiner
from ifcn_tf.models.score_head import build_score_head
from tests.support.exported import narrow_network

CONFIG = ProposerConfig(
    shorter_sides=(60, 110),
    num_proposals=40,
    num_ranked=60,
    num_refined=25,
    pre_nms=150,
    nms_iou=0.9,
    min_area=30.0,
    blend_cells=1,
    confidence_weight=0.8,
    overlap_penalty=2.0,
    edge_samples=2,
    focus_threshold=0.5,
)
#: Of images: usual ones, long ones, and one of fewer pixels than a cell.
SIZES_HW = [(60, 80), (97, 61), (40, 300), (7, 9), (230, 180)]


def random_refiner(channels: int, cells: int = 21) -> Refiner:
    """One that changes masks a little, always the same."""
    refiner, random = build_refiner(channels, cells), np.random.default_rng(0)
    for variable in refiner.weights:
        variable.assign(random.normal(0, 1.5 / np.sqrt(np.prod(variable.shape[:-1]) or 1), variable.shape))
    kernel, bias = refiner.network.get_layer("change").get_weights()
    refiner.network.get_layer("change").set_weights([0.3 * kernel, 0 * bias])
    return refiner


def random_focus(channels: int) -> Focus:
    """One that expects something in some places, always the same."""
    focus, random = build_focus(channels, CONFIG.shorter_sides[0], CONFIG.shorter_sides[1:]), np.random.default_rng(1)
    kernel, bias = focus.network.get_layer("expected").get_weights()
    focus.network.get_layer("expected").set_weights([random.normal(0, 1, kernel.shape), bias])
    return focus


@contextlib.contextmanager
def network_with_heads() -> Iterator:
    """The narrow network with a score head, a refiner and a focus, whose weights are random."""
    network = narrow_network()
    network.score_head, network.refiner = build_score_head(3 * 16 + 25), random_refiner(16)
    network.focus = random_focus(16)
    yield network
    network.score_head = network.refiner = network.focus = None


def assert_same_proposals(predictor, expected, image) -> None:
    """An engine's are those of TensorFlow's predictor, up to rounding."""
    found, wanted = predictor._run(image), expected._graph(tf.constant(image))
    assert len(found["scores"]) == len(wanted["scores"]) > 2
    for name, tolerance in (("scores", 1e-5), ("boxes_yxyx", 1e-3), ("windows_yxyx", 1e-3)):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=tolerance, err_msg=name)
    found, wanted = predictor.propose(image), expected.propose(image)
    assert np.diag(coco_mask.iou(found.rles, wanted.rles, [0] * len(found))).min() > 0.98

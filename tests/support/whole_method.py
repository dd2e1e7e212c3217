"""What the tests of files that hold the whole method share: a proposer with everything, and what it is to find."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_mask

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.score_head import build_score_head
from tests.support.exported import narrow_network

CONFIG = ProposerConfig(
    shorter_sides=(60, 110),
    num_proposals=40,
    num_ranked=60,
    pre_nms=150,
    nms_iou=0.9,
    min_area=30.0,
    blend_cells=1,
    confidence_weight=0.8,
    overlap_penalty=2.0,
    edge_samples=2,
)
#: Of images: usual ones, long ones, and one of fewer pixels than a cell.
SIZES_HW = [(60, 80), (97, 61), (40, 300), (7, 9), (230, 180)]


@contextlib.contextmanager
def network_with_score_head() -> Iterator:
    """The narrow network; the weights of its head are random."""
    network = narrow_network()
    network.score_head = build_score_head(3 * 16 + 25)
    yield network
    network.score_head = None


def assert_same_proposals(predictor, expected, image) -> None:
    """An engine's are those of TensorFlow's predictor, up to rounding."""
    found, wanted = predictor._run(image), expected._graph(tf.constant(image))
    assert len(found["scores"]) == len(wanted["scores"]) > 2
    for name, tolerance in (("scores", 1e-5), ("boxes_yxyx", 1e-3), ("windows_yxyx", 1e-3)):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=tolerance, err_msg=name)
    found, wanted = predictor.propose(image), expected.propose(image)
    assert np.diag(coco_mask.iou(found.rles, wanted.rles, [0] * len(found))).min() > 0.98

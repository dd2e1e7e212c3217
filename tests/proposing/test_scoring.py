"""A score head on proposals: what it is asked, what the scores then are, and in what order proposals come."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.instance_fcn.inference import InferenceModel
from ifcn_tf.models.score_head import build_score_head
from ifcn_tf.predictor import Predictor, load_saved_model
from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.proposing.ranking import ranked
from ifcn_tf.proposing.statistics import mask_statistics
from ifcn_tf.saved_model.export import export
from tests.proposing.test_proposer import Windowed, blobs
from tests.support.exported import CONFIG, narrow_network, scene

IMAGE = np.zeros((60, 75, 3), np.uint8)
NEAR = dataclasses.replace(CONFIG, nms_iou=0.7)
BLOBS = ProposerConfig(shorter_sides=(50, 75, 110), num_proposals=30, overlap_penalty=3.0)


class Described(Windowed):
    """Each proposal is described by its window, and by the height of the image that it was found in."""

    def descriptors(self, image, windows, mask_logits):
        height = tf.fill([tf.shape(windows)[0], 1], tf.shape(image)[1])
        return tf.cast(tf.concat([windows, height], 1), tf.float32)


def test_every_proposal_is_described_at_its_own_scale():
    found = Proposer(Described(blobs), BLOBS).described(tf.constant(IMAGE))
    y, x, height = found["descriptors"].numpy()[:, :3].T
    assert set(height) == {50, 75, 110}
    expected = 8 * (np.stack([y, x], 1) - 10) * 60 / height[:, None]
    np.testing.assert_allclose(found["windows_yxyx"][:, :2], expected, rtol=0.03, atol=0.5)


def test_scores_are_what_the_head_says_and_the_order_heeds_overlap():
    def head(descriptors):
        return tf.sin(descriptors[:, :1])  # of the row of the window

    proposer = Proposer(Described(blobs), BLOBS, score_head=head)
    found = {name: value.numpy() for name, value in proposer.compile()(IMAGE).items()}
    described = {name: value.numpy() for name, value in proposer.described(tf.constant(IMAGE)).items()}
    logits = described["descriptors"][:, 3]  # objectness is the first of the statistics
    expected = np.sin(described["descriptors"][:, 0])
    merits, boxes = expected + 0.5 * logits, described["boxes_yxyx"]
    order = ranked(merits, boxes, BLOBS.overlap_penalty, BLOBS.post_nms)[0][:30].numpy()
    np.testing.assert_allclose(found["scores"], 1 / (1 + np.exp(-expected[order])), rtol=1e-4)
    np.testing.assert_allclose(found["boxes_yxyx"], described["boxes_yxyx"][order], rtol=1e-4)
    assert (np.diff(found["scores"]) > 0).any()


def test_descriptors_by_hand():
    """A window of 7 cells is looked at in its rows and columns 0, 3 and 6, where they are on the map of 5 x 6 cells."""
    random = np.random.default_rng(0)
    trunk, masks = random.normal(size=(1, 5, 6, 2)).astype(np.float32), random.normal(size=(2, 7, 7)).astype(np.float32)
    windows = np.array([[0, 1], [4, 2]], np.int32)
    model = InferenceModel.__new__(InferenceModel)
    model._cells = 7
    found = model.descriptors({"trunk": tf.constant(trunk)}, tf.constant(windows), tf.constant(masks))
    for (y, x), mask, descriptors in zip(windows, masks, found.numpy(), strict=True):
        cells = [(i, j) for i in (0, 3, 6) for j in (0, 3, 6) if 0 <= y - 3 + i < 5 and 0 <= x - 3 + j < 6]
        features = np.array([trunk[0, y - 3 + i, x - 3 + j] for i, j in cells])
        inside = np.array([1 / (1 + np.exp(-mask[i, j])) for i, j in cells])
        means = [np.average(features, 0, weights) for weights in (inside, 1 - inside)]
        np.testing.assert_allclose(descriptors, np.concatenate([*means, trunk[0, y, x]]), rtol=1e-4, atol=1e-6)


def test_statistics_by_hand():
    """A window of 40 px a side at (0, 20) of 80 x 120 px, whose mask is its lower half, at .8, and else .2."""
    mask = np.full((1, 4, 4), 0.2)
    mask[0, 2:] = 0.8
    kept = {
        "logits": [1.5],
        "mask_logits": np.log(mask / (1 - mask)),
        "windows_yxyx": [[0, 20, 40, 60]],
        "boxes_yxyx": [[20, 20, 40, 60]],
    }
    tensors = {name: tf.constant(value, tf.float32) for name, value in kept.items()}
    found = mask_statistics(tensors, tf.constant([80.0, 120.0]), 0.4).numpy()[0]
    expected = [
        *(1.5, np.log(4)),  # objectness, confidence
        *(1, 0.5, 0.5, 0.5, 0.5, 0),  # shares of cells of at least .1, .25, .4, .55, .7 and .85
        *(0.16, 0.8, 0.2, 0.8, 0.5, 0.5),  # doubt; probabilities at the centre and along top, bottom, left and right
        4 / np.sqrt(8),  # the outline, four cells long, of eight cells
        *(np.log(20), np.log(40), np.log(40), np.log(40 / np.sqrt(80 * 120))),
        *(0.5, 1, 20 / 80, 20 / 120, 40 / 80, 60 / 120),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.fixture(scope="module")
def scored():
    """The narrow network with a head, whose scores are not all alike."""
    network = narrow_network()
    proposer = Proposer(network.window_model(NEAR), NEAR, network.config.grid)
    described = proposer.described(tf.constant(scene(0, (90, 130))))["descriptors"]
    head = build_score_head(described.shape[1])
    kernel, bias = head.get_layer("expected").get_weights()
    head.get_layer("expected").set_weights([kernel / np.std(head(described)), bias])
    network.score_head = head
    yield network
    network.score_head = None


def test_the_head_is_part_of_an_exported_model(scored, tmp_path):
    image = scene(0, (90, 130))
    expected = Predictor.of_network(scored, NEAR).propose(image)
    assert len(expected) > 5 and (np.diff(expected.scores) > 0).any()
    found = load_saved_model(export(scored, NEAR, tmp_path)).propose(image)
    assert found.rles == expected.rles
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    before = Predictor.of_network(scored, NEAR).settings["weights"]
    scored.score_head = None
    assert Predictor.of_network(scored, NEAR).settings["weights"] != before

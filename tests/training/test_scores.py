"""Training of a score head: it expects what there is, and is as sure as it may be."""

from __future__ import annotations

import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.models.parts.standardized import spread
from ifcn_tf.models.weights import save_weights
from ifcn_tf.proposing.network import load_network
from ifcn_tf.training import scores
from ifcn_tf.training.scores import Judged, correction, fitted, judge, train_scores
from tests.support.exported import CONFIG, narrow_network
from tests.support.prepared import prepare_shapes


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def test_logits_that_are_too_sure_are_corrected():
    logits = np.random.default_rng(0).normal(0, 3, 500)
    assert correction(logits, sigmoid(0.5 * logits - 1)) == pytest.approx((0.5, -1), abs=1e-3)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(scores, "_PARTS", 2)
    monkeypatch.setattr(scores, "_BATCH", 100)
    monkeypatch.setattr(scores, "_EPOCHS", 8)


def test_a_head_expects_the_mean_iou(small_batches):
    """Half of the proposals that look alike are bad: .8 becomes .4. The second descriptor says nothing."""
    random = np.random.default_rng(0)
    descriptors = random.uniform(50, 60, (4000, 2))
    ious = (descriptors[:, 0] - 50) / 10 * (random.random(4000) < 0.5)
    judged = Judged(descriptors.astype(np.float16), ious.astype(np.float32), np.arange(4000) // 40)
    head, calibration = fitted(judged)
    assert calibration.counts.sum() == 2000 and calibration.error < 0.04
    found = sigmoid(head.predict(np.array([[52, 55], [58, 51], [58, 59]], np.float32), verbose=0)[:, 0])
    np.testing.assert_allclose(found, [0.1, 0.4, 0.4], atol=0.12)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    save_weights(narrow_network(), folder, {"proposer": CONFIG.to_dict()}, {})
    return folder / "model.weights.h5"


def test_it_is_loaded_with_the_weights_that_it_was_trained_for(data, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "_PARTS", 2)
    monkeypatch.setattr(scores, "_EPOCHS", 1)
    calibration = train_scores(weights, [data], tmp_path / "scored", "float32")
    network, config = load_network(tmp_path / "scored" / "model.weights.h5", precision="float32")
    assert config == CONFIG and network.score_head is not None
    judged = judge(network, config, [data])
    assert calibration.counts.sum() == (judged.photograph % 2 == 0).sum()
    assert set(judged.photograph) == set(range(6)) and 0 <= judged.ious.min() <= judged.ious.max() <= 1


def test_a_folder_that_is_there_is_refused_at_once(weights, tmp_path):
    with pytest.raises(UserError, match="exists already; remove it or choose another folder"):
        train_scores(weights, [tmp_path / "absent"], tmp_path)


def test_a_few_photographs_are_needed(weights, tmp_path):
    few = prepare_shapes(tmp_path / "few", 4, 1)
    with pytest.raises(UserError, match="few: give 5 photographs or more, not 4"):
        train_scores(weights, [few], tmp_path / "scored", "float32")


def test_one_value_far_out_hardly_moves_what_is_usual():
    usual = np.random.default_rng(0).normal(3, 2, (10_000, 1)).astype(np.float32)
    mean, deviation = spread(np.append(usual, [[1e4]], 0).astype(np.float32))
    assert mean == pytest.approx(usual.mean(), abs=0.1) and deviation < 6 < np.append(usual, [[1e4]], 0).std()

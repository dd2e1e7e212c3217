"""Training of a refiner: what it learns from, its loss, and that masks get better."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.data.photographs import photographs
from ifcn_tf.masks.paste import logit
from ifcn_tf.models.refiner import build_refiner, load_refiner
from ifcn_tf.models.weights import REFINER, beside, read_proposer_config, save_weights
from ifcn_tf.proposing.network import load_network, network_proposer
from ifcn_tf.training import refining
from ifcn_tf.training.refining import Lessons, fit, improved, mask_loss, near_objects, principal, train_refiner
from tests.support.exported import CONFIG, narrow_network
from tests.support.prepared import prepare_shapes


def lessons(count=256, cells=5):
    """Objects are what is red; the network took something else for them."""
    random, fine = np.random.default_rng(0), 2 * cells
    truth = random.random((count, cells, cells)).repeat(2, 1).repeat(2, 2) < 0.5
    colours = np.where(truth[..., None], [200, 60, 60], [60, 60, 200]).astype(np.uint8)
    inputs = {
        "mask_logits": random.normal(0, 1, (count, cells, cells)).astype(np.float16),
        "features": random.normal(0, 1, (count, cells, cells, 16)).astype(np.float16),
        "fitted": random.normal(0, 1, (count, fine, fine)).astype(np.float16),
        "colours": colours,
    }
    return Lessons(inputs, 255 * truth.astype(np.uint8), np.ones((count, fine, fine), bool), np.arange(count))


def test_it_learns_what_the_picture_says(monkeypatch):
    monkeypatch.setattr(refining, "_EPOCHS", 60)
    taught, network = lessons(), build_refiner(16, 5).network
    before = improved(network, taught, 0.5)
    assert before.before == before.after < 0.4
    fit(network, taught, 0.5)
    assert improved(network, taught, 0.5).after > 0.9


def test_proposals_are_learnt_from_as_often_as_their_squared_iou_says(monkeypatch):
    """Every other one is right, the others have one half of their object: they are drawn a fourth as often."""
    drawn, taught = [], lessons(4000)
    taught.truth[:], taught.inputs["fitted"][:] = 255, 9
    taught.inputs["fitted"][1::2, :5] = -9
    monkeypatch.setattr(refining.keras.Model, "fit", lambda model, batches, **_: drawn.append(batches))
    fit(build_refiner(16, 5).network, taught, 0.5)
    assert np.mean(drawn[0]._order % 2) == pytest.approx(1 / 5, abs=0.02)


def test_the_loss_by_hand():
    """Of three samples that count one half is covered and told so, one is missed, and one is found rightly."""
    truth = tf.constant([[[[0.5, 1], [1, 1]], [[0, 1], [1, 0]]]])
    logits = tf.constant([[[0.0, -2.0], [-3.0, 9.0]]])
    found = 1 / (1 + np.exp([-0.0, 2.0, 3.0]))
    entropy = -(np.log(0.5) + np.log(found[1]) + np.log(1 - found[2])) / 3
    both = 0.25 + found[1]
    expected = entropy + 2 * (1 - both / (found.sum() + 1.5 - both))
    assert mask_loss(truth, logits).numpy() == pytest.approx(expected, rel=1e-5)


def test_a_mask_outside_of_the_image_counts_for_nothing():
    truth = tf.zeros([2, 4, 4, 2])
    assert np.isfinite(mask_loss(truth, tf.ones([2, 4, 4])))


def test_it_learns_from_some_good_proposals_of_each_object(monkeypatch):
    monkeypatch.setattr(refining, "_OF_AN_OBJECT", 2)
    ious = np.array([[0.9, 0.1], [0.5, 0.3], [0.6, 0.7], [0.39, 0.0], [0.8, 0.4], [0.1, 0.2]])
    chosen, owners = near_objects(ious, np.random.default_rng(0))
    assert len(chosen) == 3 and set(chosen[owners == 0]) < {0, 1, 4} and list(chosen[owners == 1]) == [2]
    assert all(len(found) == 0 for found in near_objects(np.zeros((5, 0)), np.random.default_rng(0)))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    save_weights(narrow_network(), folder, {"proposer": CONFIG.to_dict()}, {})
    return folder / "model.weights.h5"


def test_features_are_kept_by_how_much_they_vary(data):
    """Of 16 features 3 are kept: over the photographs of mean 0, deviation 1, and of no correlation."""
    proposer, examples = network_proposer(narrow_network(), CONFIG), list(photographs([data], 3))
    kernel, bias = principal(proposer, examples, 3)
    found = [maps["trunk"] for example in examples for maps in proposer.features(refining.pixels_of(example))]
    values = np.concatenate([np.reshape(maps, (-1, 16)) for maps in found])
    kept = values @ kernel[0, 0] + bias
    np.testing.assert_allclose(kept.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(kept.T), np.eye(3), atol=0.02)
    directions = kernel[0, 0] / np.linalg.norm(kernel[0, 0], axis=0)
    explained, total = np.trace(np.cov((values @ directions).T)), np.trace(np.cov(values.T))
    largest = np.sort(np.linalg.eigvalsh(np.cov(values.T)))[-3:].sum()
    assert explained == pytest.approx(largest, rel=1e-3) and explained < total


def test_it_is_loaded_with_the_weights_that_it_was_trained_for(data, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(refining, "_PARTS", 2)
    monkeypatch.setattr(refining, "fit", lambda *_: None)
    monkeypatch.setattr(refining, "_LEAST_IOU", 0.01)
    found = train_refiner(weights, [data], tmp_path / "refined", "float32")
    assert 0 < found.before < 1 and 0 < found.after < 1
    path = tmp_path / "refined" / "model.weights.h5"
    assert read_proposer_config(path) == CONFIG.changed({"edge_samples": 2})
    _, bias = load_refiner(path, 21, "float32").network.get_layer("change").get_weights()
    assert bias == pytest.approx(logit(CONFIG.mask_threshold))  # where a mask of one half is to begin
    network, config = load_network(path)
    assert network.refiner is not None and config.edge_samples == 2
    beside(path, REFINER).write_bytes(b"damaged")
    train_refiner(path, [data], tmp_path / "again", "float32")  # the old one does not matter
    assert load_refiner(tmp_path / "again" / "model.weights.h5", 21, "float32") is not None


def test_what_cannot_be_learnt_from_is_refused(data, weights, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="exists already; remove it or choose another folder"):
        train_refiner(weights, [tmp_path / "absent"], tmp_path)
    few = prepare_shapes(tmp_path / "few", 4, 1)
    with pytest.raises(UserError, match="few: give 5 photographs or more, not 4"):
        train_refiner(weights, [few], tmp_path / "refined", "float32")
    monkeypatch.setattr(refining, "_LEAST_IOU", 2.0)
    with pytest.raises(
        UserError, match="no proposal comes near an object of the photographs of --data: train the network"
    ):
        train_refiner(weights, [data], tmp_path / "refined", "float32")
    assert not (tmp_path / "refined").exists()

"""A refiner on proposals: what it is asked of each, in the graph and in exported models."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.benchmarks.inference import _KnownMaps
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.masks.edges import enlarge
from ifcn_tf.models.instance_fcn.inference import InferenceModel
from ifcn_tf.predictor import Predictor, load_saved_model
from ifcn_tf.proposing.network import network_proposer
from ifcn_tf.proposing.proposer import Proposer
from ifcn_tf.proposing.window_model import Refining
from ifcn_tf.saved_model.export import export
from tests.proposing.test_proposer import Windowed, blobs
from tests.support.exported import CONFIG, narrow_network, scene
from tests.support.whole_method import CONFIG as WHOLE
from tests.support.whole_method import network_with_heads, random_refiner

BLOBS = ProposerConfig(shorter_sides=(50, 75, 110), num_proposals=30, edge_samples=2)


class Seeing(Windowed):
    """Its features are its images; of a window it sees place and height of the image that it was found in."""

    def features(self, image):
        return {"image": image, "trunk": tf.shape(image)[1]}

    def objectness(self, features, windows):
        return super().objectness(features["image"], windows)

    def masks(self, features, windows):
        return super().masks(features["image"], windows)

    def in_windows(self, maps, windows):
        return tf.cast(tf.concat([windows, tf.fill([tf.shape(windows)[0], 1], maps)], 1), tf.float32)


class Described(Seeing):
    """Of each proposal it says three times its row."""

    def descriptors(self, features, windows, mask_logits):
        return tf.cast(tf.tile(windows[:, :1], [1, 3]), tf.float32)


def test_every_mask_is_refined_by_features_of_its_own_scale():
    """A refiner that answers what it sees: twice the height of the image, the window's row and its column."""

    def network(asked):
        fine = tf.broadcast_to(asked["features"][:, None], tf.concat([tf.shape(asked["fitted"])[:2], [3]], 0))
        return tf.pad(fine, [[0, 0], [0, 0], [0, 39]])

    image = tf.constant(scene(0, (60, 75)))
    refining = Refining(lambda height: 2 * height, network)
    found = Proposer(Seeing(blobs), BLOBS, refiner=refining)(image)
    y, x, height = found["mask_logits"].numpy()[:, 0, :3].T
    assert set(height) == {100, 150, 220}
    expected = 8 * (np.stack([y, x], 1) - 10) * 60 / (height[:, None] / 2)
    np.testing.assert_allclose(found["windows_yxyx"][:, :2], expected, rtol=0.03, atol=0.5)


def test_nothing_is_refined_where_masks_are_to_stay_as_predicted():
    refining = Refining(tf.identity, lambda asked: asked["fitted"] + 1000)
    image = tf.constant(scene(0, (60, 75)))
    plain = dataclasses.replace(BLOBS, edge_samples=0)
    found, expected = Proposer(Seeing(blobs), plain, refiner=refining)(image), Proposer(Seeing(blobs), plain)(image)
    np.testing.assert_array_equal(found["mask_logits"], expected["mask_logits"])


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_only_the_best_are_refined(count):
    """One that makes the masks of the best in objectness and confidence recognisable; the others are the first ones."""
    image, refining = tf.constant(scene(0, (60, 75))), Refining(tf.identity, lambda asked: 0 * asked["fitted"] + 77)
    config = dataclasses.replace(BLOBS, confidence_weight=1.5, num_refined=count)
    plain = Proposer(Seeing(blobs), dataclasses.replace(config, edge_samples=0))(image)
    refined = Proposer(Seeing(blobs), config, refiner=refining)(image)
    expected = enlarge(plain["mask_logits"].numpy(), 2)
    expected[:count] = 77
    np.testing.assert_array_equal(refined["windows_yxyx"], plain["windows_yxyx"])
    np.testing.assert_allclose(refined["mask_logits"], expected, rtol=1e-5, atol=1e-5)


def test_those_are_refined_that_the_score_head_puts_first():
    """One that expects the more of a mask, the lower its window lies."""
    image, refining = tf.constant(scene(0, (60, 75))), Refining(tf.identity, lambda asked: asked["fitted"])
    config = dataclasses.replace(BLOBS, num_refined=3)
    proposer = Proposer(Described(blobs), config, score_head=lambda seen: 100 * seen[:, :1], refiner=refining)
    kept, asked = proposer.unrefined(image, proposer.features(image))
    rows = kept["seen"][:, 0].numpy()
    np.testing.assert_array_equal(asked["features"][:, 0], rows[:3])
    assert rows[:3].min() >= rows[3:].max() > rows.min()


def test_what_a_refiner_is_asked():
    """Beside features the masks at cells and at samples, and the colours there, of all that suppression leaves."""
    refining, image = Refining(tf.identity, lambda asked: asked["fitted"]), tf.constant(scene(0, (60, 75)))
    proposer = Proposer(Seeing(blobs), BLOBS, refiner=refining)
    kept, asked = proposer.unrefined(image, proposer.features(image))
    count = len(kept["windows_yxyx"])
    assert asked["mask_logits"].shape[1:] == (21, 21) and asked["fitted"].shape == (count, 42, 42)
    assert asked["colours"].shape == (count, 42, 42, 3) and tf.reduce_min(asked["colours"]) >= 0
    assert 0.3 < tf.reduce_max(asked["colours"]) <= 1
    fitted = Proposer(Seeing(blobs), BLOBS)(image)
    by_window = {
        tuple(window): mask for window, mask in zip(kept["windows_yxyx"].numpy(), asked["fitted"], strict=True)
    }
    for window, mask in zip(fitted["windows_yxyx"].numpy(), fitted["mask_logits"].numpy(), strict=True):
        np.testing.assert_allclose(by_window[tuple(window)], mask, rtol=1e-4, atol=1e-4)


def test_proposals_are_judged_by_the_masks_that_the_refiner_makes():
    """One that answers the lower half of each window: boxes are of it, and statistics say so to the score head."""
    lower = tf.constant(np.repeat([-3.0, 3.0], 21)[:, None] * np.ones([42, 42]), tf.float32)
    image, judged = tf.constant(scene(0, (60, 75))), []

    def head(descriptors):
        judged.append(descriptors)
        return descriptors[:, :1]

    refining = Refining(tf.identity, lambda asked: 0 * asked["fitted"] + lower)
    proposer = Proposer(Described(blobs), BLOBS, score_head=head, refiner=refining)
    boxes, windows = (proposer(image)[name].numpy() for name in ("boxes_yxyx", "windows_yxyx"))
    expected = np.concatenate([windows[:, :1] + (windows[:, 2:3] - windows[:, :1]) / 2, windows[:, 1:]], 1)
    np.testing.assert_allclose(boxes, np.clip(expected, 0, [60, 75, 60, 75]), atol=1e-3)
    shares = judged[-1].numpy()[:, 3 + 2 : 3 + 8]
    np.testing.assert_allclose(shares, np.tile([0.5], shares.shape), atol=1e-6)


def test_only_what_was_refined_is_judged_anew():
    """Refined masks fill their windows; the head expects the share of a window that has a probability of .1 or more."""
    image, config = tf.constant(scene(0, (60, 75))), dataclasses.replace(BLOBS, num_refined=3)
    coarse = Proposer(
        Described(blobs), dataclasses.replace(config, edge_samples=0), score_head=lambda seen: seen[:, 5:6]
    )
    refining = Refining(tf.identity, lambda asked: 0 * asked["fitted"] + 9)
    found = dataclasses.replace(coarse, config=config, refiner=refining)(image)
    filled, plain = (found["mask_logits"].numpy() == 9).all((1, 2)), coarse(image)
    np.testing.assert_allclose(found["scores"][filled], np.full(3, 1 / (1 + np.exp(-1))), rtol=1e-6)
    before = {
        tuple(window): score for window, score in zip(plain["windows_yxyx"].numpy(), plain["scores"], strict=True)
    }
    others = [tuple(window) for window in found["windows_yxyx"].numpy()[~filled]]
    known = [window in before for window in others]
    assert sum(known) > 20
    expected = [before[window] for window in others if window in before]
    np.testing.assert_allclose(found["scores"].numpy()[~filled][known], expected, rtol=1e-6)


def test_a_mask_of_which_the_refiner_leaves_nothing_is_dropped():
    """One that takes the masks of windows in the upper half away, or all."""
    image, answers = tf.constant(scene(0, (60, 75))), []
    for above in (7.0, 1000.0):

        def network(asked, above=above):
            sign = tf.where(asked["features"][:, 0] < above, -1.0, 1.0)
            return 9 * sign[:, None, None] * tf.ones_like(asked["fitted"])

        proposer = Proposer(Seeing(blobs), BLOBS, refiner=Refining(tf.identity, network))
        kept, asked = proposer.unrefined(image, proposer.features(image))
        answers.append((proposer(image), int(tf.reduce_sum(tf.cast(asked["features"][:, 0] >= above, tf.int32)))))
        assert len(kept["logits"]) > 30
    (found, count), (none, _) = answers
    assert len(found["scores"]) == min(count, 30) > 0 and (found["mask_logits"].numpy() > 0).all()
    assert len(none["scores"]) == len(none["mask_logits"]) == 0


def test_cells_of_windows_by_hand():
    """Windows of 3 cells on a map of 2 x 4; outside of it the nearest cell."""
    model = InferenceModel.__new__(InferenceModel)
    model._cells = 3
    maps = np.arange(8.0, dtype=np.float32).reshape(1, 2, 4, 1)
    found = model.in_windows(tf.constant(maps), tf.constant([[0, 0], [1, 2]]))[..., 0]
    np.testing.assert_array_equal(found, [[[0, 0, 1], [0, 0, 1], [4, 4, 5]], [[1, 2, 3], [5, 6, 7], [5, 6, 7]]])


@pytest.mark.parametrize("flip", [False, True])
def test_the_refiner_is_part_of_an_exported_model(flip, tmp_path):
    network, image = narrow_network(), scene(0, (90, 130))
    config = dataclasses.replace(CONFIG, edge_samples=2, flip=flip)
    plain = Predictor.of_network(network, config)
    network.refiner = random_refiner(16)
    try:
        refined = Predictor.of_network(network, config)
        expected = refined.propose(image)
        assert refined.settings["weights"] != plain.settings["weights"]
        assert expected.rles != plain.propose(image).rles
        assert load_saved_model(export(network, config, tmp_path)).propose(image).rles == expected.rles
    finally:
        network.refiner = None


def test_the_benchmark_times_all_that_is_asked_of_a_network():
    """Known maps in place of the network give the same proposals, with score head and refiner."""
    with network_with_heads() as network:
        asking, image = network_proposer(network, WHOLE), tf.constant(scene(0, (60, 80)))
        maps = asking.features(image)
        found = dataclasses.replace(asking, model=_KnownMaps(asking.model, maps))(image)
        for name, values in asking(image).items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-3)

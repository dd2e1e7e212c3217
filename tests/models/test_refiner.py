"""The refiner: untrained it changes nothing, it comes back beside its weights, and what is not one is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.models.refiner import (
    Added,
    Contrast,
    Gathered,
    Prepared,
    Spread,
    build_refiner,
    load_refiner,
    save_with_refiner,
)
from ifcn_tf.models.score_head import build_score_head, load_score_head, save_with_score_head
from ifcn_tf.models.weights import REFINER, average_weights, beside, read_weights, save_weights, store_as_float16
from ifcn_tf.proposing.network import load_network, network_proposer
from tests.support.exported import CONFIG, narrow_network
from tests.support.whole_method import random_refiner


def inputs(count=3, cells=5):
    random = np.random.default_rng(0)
    shapes = {"mask_logits": (cells, cells), "features": (cells, cells, 16), "fitted": (2 * cells, 2 * cells)}
    shapes["colours"] = (2 * cells, 2 * cells, 3)
    return {name: random.normal(0, 3, (count, *shape)).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_before_training_masks_stay_as_colours_correct_them(precision):
    asked = inputs()
    np.testing.assert_array_equal(build_refiner(16, 5, precision).network(asked), asked["fitted"])


@pytest.mark.parametrize("changed", ["mask_logits", "features", "fitted", "colours"])
def test_all_that_is_seen_counts_and_only_in_its_own_window(changed):
    network, asked = random_refiner(16, 5).network, inputs()
    other = {
        **asked,
        changed: asked[changed] + np.array([0, 0, 1.5], np.float32).reshape(3, *[1] * (asked[changed].ndim - 1)),
    }
    if changed == "colours":  # of which differences count
        other["colours"][2, 4] -= 3
    before, after = network(asked).numpy(), network(other).numpy()
    np.testing.assert_allclose(before[:2], after[:2], rtol=1e-4, atol=1e-4)
    assert abs(before[2] - after[2]).max() > 0.005


def test_how_bright_a_picture_is_says_nothing():
    network, asked = random_refiner(16, 5).network, inputs()
    brighter = network({**asked, "colours": asked["colours"] + 0.2})
    np.testing.assert_allclose(network(asked), brighter, rtol=1e-3, atol=1e-3)


def test_layers_by_hand():
    cell = tf.reshape(tf.range(8.0), [1, 1, 1, 8])  # four samples of two channels
    np.testing.assert_array_equal(Spread(2)(cell)[0], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    np.testing.assert_array_equal(Gathered(2)(Spread(2)(cell)), cell)
    near, wide = tf.reshape(tf.range(3.0), [1, 1, 3, 1]), tf.constant([[[[10.0], [-1.5]]]])
    np.testing.assert_array_equal(Added()(near, wide)[0, 0, :, 0], [10, 11, 0.5])
    colours = tf.constant([[[[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]]])
    np.testing.assert_allclose(Contrast()(colours)[0, 0], [[-0.3, 0, 0.3], [0.3, 0, -0.3]], atol=1e-6)
    held = Prepared()(tf.constant([[[2.0, 100.0, -9.0]]]), tf.ones([1, 1, 3, 1]))
    np.testing.assert_array_equal(held[0, 0], [[0.5, 1], [2, 1], [-2, 1]])


@pytest.fixture
def plain(tmp_path):
    save_weights(narrow_network(), tmp_path / "plain", {"proposer": {"nms_iou": 0.5}}, {})
    return tmp_path / "plain" / "model.weights.h5"


@pytest.fixture
def refined(plain, tmp_path):
    save_with_refiner(plain, random_refiner(16), tmp_path / "refined", proposer={"edge_samples": 2})
    return tmp_path / "refined" / "model.weights.h5"


def test_it_comes_back_beside_the_same_weights(plain, refined, tmp_path):
    save_with_score_head(refined, build_score_head(73), tmp_path / "scored")
    store_as_float16(tmp_path / "scored" / "model.weights.h5", tmp_path / "half")
    for path in (refined, tmp_path / "scored" / "model.weights.h5", tmp_path / "half" / "model.weights.h5"):
        found = load_refiner(path, 21, "float32")
        for mine, theirs in zip(found.weights, random_refiner(16).weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert refined.read_bytes() == plain.read_bytes()
    assert read_weights(refined).keys() == read_weights(plain).keys()
    assert json.loads((refined.parent / "config.json").read_text())["proposer"] == {"edge_samples": 2}
    network, config = load_network(tmp_path / "half" / "model.weights.h5")
    assert network.refiner is not None and network.score_head is not None and config.edge_samples == 2


def test_weights_without_one_have_none(plain):
    assert load_refiner(plain, 21, "float32") is None


def test_a_score_head_of_other_masks_is_left_behind(plain, tmp_path):
    save_with_score_head(plain, build_score_head(73), tmp_path / "scored")
    scored = tmp_path / "scored" / "model.weights.h5"
    assert load_score_head(scored) is not None
    save_with_refiner(scored, random_refiner(16), tmp_path / "both")
    assert load_score_head(tmp_path / "both" / "model.weights.h5") is None
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == [
        "config.json",
        "model.weights.h5",
        "refiner.weights.h5",
    ]


def test_what_is_not_the_refiner_that_was_saved_is_refused(plain, refined, tmp_path):
    path = beside(refined, REFINER)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"refiner\.weights\.h5 is damaged, or not the file that"):
        load_refiner(refined, 21, "float32")
    path.unlink()
    with pytest.raises(UserError, match=r"there is no .*refiner\.weights\.h5"):
        load_refiner(refined, 21, "float32")
    narrower = random_refiner(16)._replace(network=build_score_head(7))
    save_with_refiner(plain, narrower, tmp_path / "other")
    with pytest.raises(UserError, match=r"refiner\.weights\.h5 holds no refiner of this program: train it anew"):
        load_refiner(tmp_path / "other" / "model.weights.h5", 21, "float32")


def test_the_mean_of_weights_has_none(refined, tmp_path):
    average_weights([refined, refined], tmp_path / "mean")
    assert load_refiner(tmp_path / "mean" / "model.weights.h5", 21, "float32") is None


def test_it_answers_two_samples_a_cell_and_no_others(refined):
    network, config = load_network(refined, precision="float32")
    for samples in (0, 2):
        network_proposer(network, config.changed({"edge_samples": samples}))
    with pytest.raises(UserError, match="edge_samples must be 0 or 2 with weights that have a refiner, not 3"):
        network_proposer(network, CONFIG.changed({"edge_samples": 3}))

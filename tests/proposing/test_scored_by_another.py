"""Masks of one network in the order of another one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models.method import build_network
from ifcn_tf.models.score_head import build_score_head, save_with_score_head
from ifcn_tf.models.weights import save_weights
from ifcn_tf.proposing.network import load_network, network_proposer, settings_of
from tests.support.exported import scene
from tests.support.narrow_deepmask import NARROW
from tests.support.tiny import TINY


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Of a network, of one with other weights and finer masks, and of one with other windows."""
    paths = []
    for seed, config in enumerate((NARROW, dataclasses.replace(NARROW, mask_cells=32), TINY)):
        network, random = build_network(config, "float32"), np.random.default_rng(seed)
        network.model.set_weights([w + random.normal(0, 0.1, w.shape) for w in network.model.get_weights()])
        folder = tmp_path_factory.mktemp("weights")
        save_weights(network, folder, {}, {})
        paths.append(folder / "model.weights.h5")
    return paths


def test_masks_are_those_of_one_network_and_scores_those_of_the_other(files):
    own, other, both = (
        load_network(files[i], precision="float32", score_weights=scores)[0]
        for i, scores in ((0, None), (1, None), (0, files[1]))
    )
    image, windows = tf.constant(scene(0, (90, 130))[None], tf.float32), np.array([[0, 0], [3, 4], [5, 8]], np.int32)
    models = [network_proposer(network, ProposerConfig()).model for network in (own, other, both)]
    objectness, masks = (
        [getattr(model, asked)(model.features(image), windows).numpy() for model in models]
        for asked in ("objectness", "masks")
    )
    np.testing.assert_array_equal(objectness[2], objectness[1])
    np.testing.assert_array_equal(masks[2], masks[0])
    assert not np.allclose(objectness[0], objectness[1])
    identities = {settings_of(network, ProposerConfig())["weights"] for network in (own, other, both)}
    assert len(identities) == 3


def test_no_score_head_judges_what_another_network_scored(files, tmp_path):
    save_with_score_head(files[0], build_score_head(7), tmp_path / "scored")
    scored = tmp_path / "scored" / "model.weights.h5"
    for weights, scores in ((scored, files[1]), (files[1], scored)):
        network, config = load_network(weights, score_weights=scores, precision="float32")
        assert network_proposer(network, config).score_head is None


def test_scores_of_other_windows_are_refused(files):
    with pytest.raises(UserError, match="scores other windows than the masks are of"):
        load_network(files[0], score_weights=files[2], precision="float32")
    with pytest.raises(UserError, match="score_weights belong to trained weights"):
        load_network(backbone_weights="imagenet", score_weights=files[0])

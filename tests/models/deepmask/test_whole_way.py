"""DeepMask goes the whole way by the same calls as any method: from training to a served model."""

import dataclasses
import json

import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import DeepMaskConfig
from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import DataConfig, LossConfig, TrainConfig
from ifcn_tf.data.inspection import save_examples
from ifcn_tf.models.deepmask.network import DeepMask
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import save_weights
from ifcn_tf.predictor import load, load_saved_model
from ifcn_tf.proposing.network import load_network
from ifcn_tf.saved_model.export import export
from ifcn_tf.training.run import Places, train_on_data
from ifcn_tf.training.strategy import make_strategy
from tests.support.exported import scene
from tests.support.narrow_deepmask import NARROW
from tests.support.prepared import prepare_shapes

CONFIG = RunConfig(
    model=NARROW,
    data=DataConfig(object_side=36.0, shorter_sides=(119,), crops_in_turn=2),
    loss=LossConfig(mask_weight=1.0, objectness_weight=1 / 32),
    train=TrainConfig(
        steps=4, images_per_step=2, precision="float32", log_every=1, validate_every=4, validation_images=2,
        frozen_blocks=1,
    ),
    proposer=ProposerConfig(shorter_sides=(80,), num_proposals=30, nms_iou=0.5, mask_threshold=0.1),
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    first, workdir = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("trained")
    save_weights(build_network(NARROW, "float32"), first, {}, {})
    places = Places([data], [data], workdir, str(first / "model.weights.h5"), "imagenet")
    assert train_on_data(CONFIG, places, make_strategy("one_device")).step == 4
    return workdir


def test_masks_and_scores_train_in_turn(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [line for line in lines if "mask_loss" in line]
    assert [line["mask_loss"] > 0 for line in losses] == [True, False, True, False]
    assert [line["objectness_loss"] > 0 for line in losses] == [False, True, False, True]
    assert [line["positives"] for line in losses] == [1, 0.5, 1, 0.5]
    assert "ar@100" in lines[-1]


def test_saved_loaded_and_exported_it_proposes_the_same(trained, tmp_path):
    path, image = trained / "last" / "model.weights.h5", scene(0, (90, 130))
    network, config = load_network(path, precision="float32")
    assert isinstance(network, DeepMask) and config.num_proposals == 30
    expected = load(path, precision="float32").propose(image)
    assert len(expected) > 0
    found = load_saved_model(export(network, config, tmp_path)).propose(image)
    assert found.rles == expected.rles
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


def test_its_examples_are_drawn(data, tmp_path):
    save_examples([data], 3, CONFIG.data, NARROW, 0, tmp_path)
    assert len(list(tmp_path.glob("example_*.png"))) == 3


def test_data_without_an_object_to_crop_are_refused_before_anything_is_written(data, tmp_path):
    """None can be 300,000 px long in an image of 2,700 px."""
    config = dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, object_side=3e5))
    places = Places([data], [], tmp_path / "run", None, "imagenet")
    with pytest.raises(UserError, match="shows no object to train on"):
        train_on_data(config, places, make_strategy("one_device"))
    assert not (tmp_path / "run").exists()


def test_the_preset_is_the_method_as_published():
    config = PRESETS["deepmask"]
    assert config.model == DeepMaskConfig(trunk="vgg_a")
    assert config.data.crops_in_turn == config.train.images_per_step == 32
    assert (config.loss.mask_weight, config.loss.objectness_weight) == (1, 1 / 32)
    light = with_settings(PRESETS["light"], ["model.method=deepmask", "model.trunk=efficientnet_lite2"])
    assert light.model == DeepMaskConfig(trunk="efficientnet_lite2")

"""Presets, changes to them, and the refusal of what is misspelt."""

from __future__ import annotations

import json
import re

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.config.training import TrainConfig
from ifcn_tf.geometry import WindowGrid


def test_paper_is_the_paper():
    train = PRESETS["paper"].train
    assert (train.steps, train.images_per_step, train.momentum, train.weight_decay) == (40_000, 8, 0.9, 0.0005)
    assert train.frozen_blocks == 2
    data, loss = PRESETS["paper"].data, PRESETS["paper"].loss
    assert data.shorter_sides == (119, 178, 267, 400, 600, 900)  # 600 * 1.5^{-4..1}
    assert (data.num_windows, data.flip_probability, data.fitting_scales) == (256, 0.5, 0)
    assert (data.object_side, data.centre_tolerance) == (128, 16)
    assert data.side_tolerance == pytest.approx(2**0.25)
    assert (loss.mask_weight, loss.normalization) == (2.0, "mean")
    assert PRESETS["paper"].proposer == ProposerConfig()
    model = PRESETS["paper"].model
    assert (model.method, model.trunk, model.k, model.window_cells) == ("instance_fcn", "vgg16", 5, 21)
    assert model.grid == WindowGrid(stride=8, window_cells=21, mask_cells=21)
    rates = [train.learning_rate(step) for step in (0, 31_999, 32_000, 39_999)]
    assert rates == [0.001, 0.001, 0.0001, 0.0001]


def test_settings_change_one_field_each():
    changed = with_settings(PRESETS["paper"], ["train.steps=7", "model.k=3", "train.momentum=0", "loss.mask_weight=1"])
    assert (changed.train.steps, changed.model.k, changed.train.momentum) == (7, 3, 0.0)
    assert isinstance(changed.train.momentum, float)
    rates = with_settings(changed, ["train.learning_rates=[1, 0.5, 0.1]", "train.boundaries=[2, 3]"][::-1]).train
    assert rates.learning_rates == (1, 0.5, 0.1)
    assert with_settings(PRESETS["paper"], ["train.precision=float32"]).train.precision == "float32"


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("train.step=7", "train.steps"),
        ("steps=7", "train.steps"),
        ("trian.momentum=0.5", "train.momentum"),
        ("train.steps", "KEY=VALUE"),
        ("train.steps=many", "a whole number"),
        ("train.steps=1.5", "a whole number"),
        ("train.learning_rates=0.1", "a list"),
        ("train.momentum=2", "momentum"),
        ("train.precision=float8", "precision"),
        ("train.optimizer=adam", "train.optimizer must be one of sgd, adamw, not adam"),
        ("train.trunk_rate=-1", "train.trunk_rate must"),
        ("loss.normalization=caffe", "literal"),
        ("train.steps=-1", "train.steps must"),
        ("data.side_tolerance=0.5", "data.side_tolerance must"),
        ("data.cut_side=167", "data.cut_side must be 0, or hold a window (168 px), not 167."),
        ("data.cut_side=-1", "data.cut_side must not be negative"),
        ("model.method=instance_fnc", "model.method 'instance_fnc' is not known: the nearest is instance_fcn."),
        ("model.method=[1]", "model.method [1] is not known"),
        ("model.trunk=vgg61", "model.trunk 'vgg61' is not known: the nearest is vgg16."),
        ("model.trunk=16", "model.trunk must be a word"),
        ("model.branch_channels=0", "model.branch_channels must"),
        ("train.learning_rates=[NaN, 0.1]", "train.learning_rates must"),
        ("train.learning_rates=[0.1, -0.1]", "train.learning_rates must"),
        ("train.weight_decay=Infinity", "train.weight_decay must"),
        ("loss.mask_weight=NaN", "loss.mask_weight must"),
        ("proposer.blend_cells=2", "proposer.blend_cells must be 1 or less with k = 5"),
        ("proposer.nms_iou=2", "proposer.nms_iou must"),
        ("train.seed=99999999999999999999", "train.seed must"),
        ("train.seed=-1", "train.seed must"),
        ("data.scale_jitter=Infinity", "data.scale_jitter must"),
        ("model.window_cells=3", "model.window_cells must be k = 5 or more"),
        ("shorter_sides=[600]", "data.shorter_sides"),
    ],
)
def test_wrong_settings_are_refused_with_a_hint(setting, hint):
    with pytest.raises(UserError, match=re.escape(hint)):
        with_settings(PRESETS["paper"], [setting])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_json_round_trip(name):
    config = PRESETS[name]
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_as_many_rates_as_stretches():
    with pytest.raises(UserError, match="one more number"):
        TrainConfig(boundaries=(5, 9))

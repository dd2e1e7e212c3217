"""Presets, changes to them, and the refusal of what is misspelt."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import MODELS, model_weights
from ifcn_tf.config.presets import PRESETS, RunConfig, read_run, with_settings
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
        ("train.schedule=linear", "train.schedule must be one of steps, cosine, not linear"),
        ("train.ema=1", "train.ema must"),
        ("train.warm_up=-1", "train.warm_up must"),
        ("loss.normalization=caffe", "literal"),
        ("train.steps=-1", "train.steps must"),
        ("data.partial_negatives=1.5", "data.partial_negatives must lie in 0..1, not 1.5"),
        ("data.hard_negatives=-0.5", "data.hard_negatives must lie in 0..1, not -0.5"),
        ("data.background_cuts=0.5", "data.background_cuts must be 0 without a cut_side, not 0.5"),
        ("loss.objectness_target=IoU", "loss.objectness_target must be one of label, iou, not IoU"),
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


def rates(count, **settings):
    config = TrainConfig(**settings)
    return [config.learning_rate(step) for step in range(count)]


def test_warm_up_rises_linearly_to_the_rates_of_the_schedule():
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.1, 0.1]
    assert rates(7, learning_rates=(1.0, 0.1), boundaries=(5,), warm_up=4) == pytest.approx(expected)
    assert rates(3, learning_rates=(1.0, 0.1), boundaries=(2,), warm_up=4) == pytest.approx([0.25, 0.5, 0.075])


def test_a_cosine_falls_from_the_first_rate_to_the_last():
    """Of 6 steps after 2 of warm-up, a quarter of the way is 0.2 + 0.8 * (1 + cos 30 deg) / 2 after one, and so on."""
    shares = [(1 + cosine) / 2 for cosine in (1, 3**0.5 / 2, 0.5, 0, -0.5, -(3**0.5) / 2)]
    expected = [0.5, 1.0, *(0.2 + 0.8 * share for share in shares)]
    settings = {"learning_rates": (1.0, 0.5, 0.2), "boundaries": (), "schedule": "cosine"}
    assert rates(8, **settings, steps=8, warm_up=2) == pytest.approx(expected)
    assert rates(4, **settings, steps=4) == pytest.approx([1.0, 0.2 + 0.8 * (2 + 2**0.5) / 4, 0.6, 0.317157], abs=1e-6)
    assert TrainConfig(schedule="cosine").learning_rate(39_999) == pytest.approx(0.0001, rel=1e-6)
    with pytest.raises(UserError, match="learning_rates needs a first and a last"):
        TrainConfig(**{**settings, "learning_rates": (1.0,)})


def test_light_shows_what_quick_shows_and_background_to_a_small_trunk():
    quick, light = PRESETS["quick"], PRESETS["light"]
    assert light.data == dataclasses.replace(quick.data, partial_negatives=0.0, background_cuts=0.3)
    assert light.proposer == quick.proposer.changed(
        {
            "shorter_sides": [119, 178, 267, 400, 600, 900, 1350],
            "mask_threshold": 0.35,
            "edge_samples": 2,
            "num_refined": 300,
            "pre_nms": 6000,
        }
    )
    assert (light.model.trunk, light.model.branch_channels) == ("efficientnet_lite2", 256)
    found = [light.train.learning_rate(step) for step in (0, 99, 2999, 3000, 4199, 4200, 4799)]
    assert found == pytest.approx([0.00001, 0.001, 0.001, 0.001 / 3, 0.001 / 3, 0.001 / 9, 0.001 / 9])


@pytest.mark.parametrize("name", MODELS)
def test_a_run_is_read_from_what_it_wrote(name):
    """The bundled models' own files, of which one was written by an earlier release."""
    path = model_weights(name).with_name("config.json")
    config, places = read_run(path)
    written = json.loads(path.read_text())
    assert places == written.get("places", {})
    for section in ("model", "data", "loss", "train", "proposer"):
        assert {**config.to_dict()[section], **written[section]} == config.to_dict()[section]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "holds no settings"),
        ('{"train": {"steps": 1}, "trian": {}}', "the section 'trian' is not known: the nearest is train"),
        ('{"train": 3}', "train is no section of settings"),
        ('{"train": {"momentun": 0.5}}', "run.json: train.momentun: TrainConfig has no such setting"),
        ('{"places": {"data": "prepared/coco"}}', "are lists of folders"),
        ('{"places": {"data": ["a", "b"], "data_shares": [3]}}', "a number for each of data"),
        ("{train: 1}", "is not valid JSON"),
    ],
)
def test_what_is_no_run_is_refused_by_the_name_of_its_file(content, sentence, tmp_path):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=re.escape(sentence)) as refused:
        read_run(tmp_path / "run.json")
    assert str(tmp_path / "run.json") in str(refused.value)

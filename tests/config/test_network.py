"""Each method has its own settings, and an unknown one is refused before TensorFlow is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig, network_config
from ifcn_tf.config.presets import PRESETS, RunConfig, with_settings
from tests.support.dots import DotsConfig

PAPER = PRESETS["paper"]


def test_settings_name_their_method():
    assert network_config({}) == InstanceFCNConfig()
    assert network_config({"k": 3}) == InstanceFCNConfig(k=3)
    assert network_config({"method": "dots"}) == DotsConfig()
    for config in (InstanceFCNConfig(k=7, window_cells=15), DotsConfig()):
        assert network_config(config.to_dict()) == config


@pytest.mark.parametrize("order", [1, -1])
def test_another_method_brings_its_own_settings(order):
    changed = with_settings(PAPER, ["model.method=dots", "model.trunk=vgg16", "train.steps=7"][::order])
    assert changed.model == DotsConfig()
    assert changed.train.steps == 7
    assert changed.to_dict()["model"] == {"method": "dots", "trunk": "vgg16", "fusion_channels": 256}
    assert RunConfig.from_dict(changed.to_dict()) == changed


def test_a_method_may_be_written_as_json():
    assert with_settings(PAPER, ['model.method="dots"']).model == DotsConfig()


def test_the_settings_of_another_method_are_unknown():
    with pytest.raises(UserError, match=r"^--set model\.k: there is no such setting"):
        with_settings(PAPER, ["model.method=dots", "model.k=3"])
    with pytest.raises(
        UserError, match=r"^k: DotsConfig has no such setting; it has fusion_channels, method, trunk\.$"
    ):
        network_config({"method": "dots", "k": 3})


@pytest.mark.parametrize("method", [["dots"], {}, None, 7])
def test_a_method_of_another_type_is_refused(method):
    with pytest.raises(UserError, match=r"^method .* is not known: the"):
        network_config({"method": method})


def test_a_cut_holds_a_window_of_the_method():
    """A window of Dots has 6 cells of 16 px."""
    assert with_settings(PAPER, ["model.method=dots", "data.cut_side=96"]).data.cut_side == 96
    with pytest.raises(UserError, match=r"^data\.cut_side must be 0, or hold a window \(96 px\), not 95\.$"):
        with_settings(PAPER, ["model.method=dots", "data.cut_side=95"])


def test_settings_are_checked_without_tensorflow():
    program = (
        "import sys; from ifcn_tf.config.presets import PRESETS, with_settings;"
        "with_settings(PRESETS['quick'], ['model.trunk=vgg16']);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True)


def test_features_have_channels():
    assert with_settings(PAPER, ["model.fusion_channels=1"]).model.fusion_channels == 1
    with pytest.raises(UserError, match=r"^model\.fusion_channels must be positive, not 0\.$"):
        with_settings(PAPER, ["model.fusion_channels=0"])

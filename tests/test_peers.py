"""The comparison with peers, as far as it goes without their packages."""

import importlib
import os
import sys

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.benchmarks.inference import SIZE_HW
from ifcn_tf.common.files import UserError
from ifcn_tf.engines.onnx_export import export_onnx
from tests.support.exported import narrow_network, scene
from tests.support.whole_method import CONFIG

pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")
from ifcn_tf.benchmarks import peers
from ifcn_tf.benchmarks.peers import Step
from ifcn_tf.engines.openvino_predictor import OpenvinoPredictor


def test_the_photograph_keeps_its_form_and_has_sides_that_the_peer_takes():
    height, width = peers.PEER_HW
    assert width == 1024 and height * SIZE_HW[1] == width * SIZE_HW[0]
    assert height % 32 == width % 32 == 0


def test_rows_are_medians_and_medians_of_ratios():
    peer, other, alone = Step("peer", "network", "one"), Step("vgg16", "whole", "one"), Step("peer", "network", "two")
    mine = [Step("default", step.what, step.engine) for step in (peer, other)]
    seconds = {
        peer: [1.0, 2.0, 4.0],
        mine[0]: [2.0, 2.0, 2.0],
        mine[1]: [0.5, 0.25, 0.5],
        other: [1.0, 2.0, 3.0],
        alone: [3.0, 3.0, 3.0],
    }
    assert list(peers.rows(seconds)) == [
        {"model": "peer", "what": "network", "engine": "one", "ms": 2000.0, "ratio": 1.0, "of_default": 1.0},
        {"model": "default", "what": "network", "engine": "one", "ms": 2000.0, "ratio": 1.0},
        {"model": "default", "what": "whole", "engine": "one", "ms": 500.0, "ratio": 0.125},
        {"model": "vgg16", "what": "whole", "engine": "one", "ms": 2000.0, "ratio": 1.0, "of_default": 6.0},
        {"model": "peer", "what": "network", "engine": "two", "ms": 3000.0, "ratio": 1.5},
    ]


def test_the_bare_network_on_openvino_is_that_of_the_method(tmp_path):
    export_onnx(narrow_network(), CONFIG, tmp_path / "narrow.onnx")
    predictor = OpenvinoPredictor(tmp_path / "narrow.onnx")
    Image.fromarray(scene(0, SIZE_HW)).save(tmp_path / "photograph.png")
    longer = scene(0, peers.PEER_HW)[None].astype(np.float32)
    photograph = peers._Photograph(tmp_path / "photograph.png", scene(0, SIZE_HW), longer)
    steps = peers._on_openvino(predictor, tmp_path / "narrow.onnx", photograph)
    one, scales, whole = (
        steps[Step("default", what, predictor.engine)] for what in (peers.ONE_SCALE, peers.ALL_SCALES, peers.WHOLE)
    )
    assert len(whole()) == len(predictor.propose(photograph.image)) > 0
    assert len(scales()) == len(CONFIG.shorter_sides) * len(one())
    expected = predictor.features({"scale0": longer})
    for output, values in one().items():
        wanted = expected[f"scale0/{output.any_name}"]
        np.testing.assert_allclose(values, wanted, atol=0.05 * np.abs(wanted).max())  # in bfloat16, where there is it


@pytest.mark.parametrize("package", ["torch", "ultralytics"])
def test_a_missing_package_is_named_with_its_extra(package, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.delitem(sys.modules, "ifcn_tf.benchmarks.torch_peers", raising=False)
    monkeypatch.setitem(sys.modules, "torch", type(sys)("torch"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs {package}: pip install 'ifcn-tf\[peers\]'"):
        importlib.import_module("ifcn_tf.benchmarks.torch_peers")

"""The comparison with peers, as far as it goes without their packages."""

import importlib
import os
import sys

import pytest

from ifcn_tf.benchmarks.inference import SIZE_HW
from ifcn_tf.common.files import UserError

pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")
from ifcn_tf.benchmarks import peers
from ifcn_tf.benchmarks.peers import Step


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


@pytest.mark.parametrize("package", ["torch", "ultralytics"])
def test_a_missing_package_is_named_with_its_extra(package, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.delitem(sys.modules, "ifcn_tf.benchmarks.torch_peers", raising=False)
    monkeypatch.setitem(sys.modules, "torch", type(sys)("torch"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs {package}: pip install 'ifcn-tf\[peers\]'"):
        importlib.import_module("ifcn_tf.benchmarks.torch_peers")

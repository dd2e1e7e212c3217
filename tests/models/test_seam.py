"""A second method on a second trunk, both written in the tests: the whole way, from training to a served model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import InstanceFCNConfig, network_config
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.onnx_export import export_onnx
from ifcn_tf.engines.onnx_predictor import OnnxPredictor
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import read_weights, save_weights
from ifcn_tf.predictor import load, load_saved_model
from ifcn_tf.proposing.network import load_network
from ifcn_tf.saved_model.export import export
from tests.support.dots import Dots, DotsConfig
from tests.support.exported import scene
from tests.support.prepared import prepare_shapes
from tests.support.seam_run import run
from tests.support.tiny import TINY

DOTS = DotsConfig(trunk="tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_shapes(tmp_path_factory.mktemp("data") / "scenes")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    save_weights(build_network(DOTS, "float32"), folder, {}, {})
    return folder / "model.weights.h5"


@pytest.fixture(scope="module")
def trained(data, first, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    assert run(workdir, data, 3, first).step == 3
    return workdir


def test_it_trains_and_is_looked_at(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [line for line in lines if "dots_loss" in line]
    assert [line["step"] for line in losses] == [1, 2, 3]
    assert max(line["positives"] for line in losses) > 0
    assert "ar@100" in lines[-1]
    described = json.loads((trained / "last" / "config.json").read_text())
    assert described["model"] == {"method": "dots", "trunk": "tiny", "fusion_channels": 256}


def test_a_killed_run_goes_on_to_the_same_weights(data, first, trained, tmp_path):
    command = [sys.executable, "-m", "tests.support.seam_run", tmp_path, data, "3", first]
    process = subprocess.Popen(list(map(str, command)), cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
    while not list((tmp_path / "checkpoints").glob("step-1.index")) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "checkpoints" / "step-3.index").exists()
    run(tmp_path, data, 3, first)
    names = ("last", "best")
    for mine, theirs in ((read_weights(f / n / "model.weights.h5") for f in (tmp_path, trained)) for n in names):
        assert mine.keys() == theirs.keys()
        for name, array in mine.items():
            np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def test_saved_loaded_and_exported_it_proposes_the_same(trained, tmp_path):
    path, image = trained / "last" / "model.weights.h5", scene(0, (90, 130))
    network, config = load_network(path, precision="float32")
    assert isinstance(network, Dots) and config.num_proposals == 30
    expected = load(path, precision="float32").propose(image)
    assert len(expected) > 0
    found = load_saved_model(export(network, config, tmp_path)).propose(image)
    assert found.rles == expected.rles
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    export_onnx(network, config, tmp_path / "dots.onnx")
    found = OnnxPredictor(tmp_path / "dots.onnx").propose(image)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


def test_the_model_for_inference_is_the_one_that_is_trained():
    network = build_network(DOTS, "float32")
    image = np.random.default_rng(0).uniform(0, 255, (1, 100, 70, 3)).astype(np.float32)
    windows = np.array([[0, 0], [3, 2], [6, 4]], np.int32)
    trained = network.model({"image": image, "windows": windows[None]})
    model = network.window_model(ProposerConfig())
    features = model.features(image)
    np.testing.assert_allclose(model.objectness(features, windows), trained["objectness_logits"][0], rtol=1e-5)
    np.testing.assert_allclose(model.masks(features, windows), trained["mask_logits"][0], rtol=1e-5)


def test_names_that_nobody_registered_are_refused_with_the_nearest():
    with pytest.raises(UserError, match="method 'dot' is not known: the nearest is dots"):
        network_config({"method": "dot"})
    with pytest.raises(UserError, match="trunk 'vgg_16' is not known: the nearest is vgg16"):
        InstanceFCNConfig(trunk="vgg_16")
    assert network_config(TINY.to_dict()) == TINY and network_config(DOTS.to_dict()) == DOTS


def test_more_groups_than_a_trunk_has_cannot_be_frozen():
    with pytest.raises(UserError, match=r"frozen_blocks must lie in 0\.\.4 with tiny, not 5"):
        build_network(DOTS).freeze(5)

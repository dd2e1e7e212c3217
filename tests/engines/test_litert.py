"""The whole method as one LiteRT file, against TensorFlow."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import ifcn_tf
from ifcn_tf.common.files import UserError
from ifcn_tf.engines.litert_export import export_litert
from ifcn_tf.models.method import build_network
from ifcn_tf.predictor import Predictor
from tests.support.exported import scene
from tests.support.tiny import TINY
from tests.support.whole_method import CONFIG, SIZES_HW, assert_same_proposals, network_with_heads


@pytest.fixture(scope="module")
def network():
    with network_with_heads() as network:
        yield network


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "model.tflite"
    export_litert(network, CONFIG, path)
    return path


@pytest.fixture(scope="module")
def predictor(file):
    return ifcn_tf.load(file)


@pytest.mark.parametrize("size_hw", SIZES_HW)
def test_the_proposals_are_those_of_tensorflow(size_hw, network, predictor):
    assert_same_proposals(predictor, Predictor.of_network(network, CONFIG), scene(1, size_hw))


def test_an_image_without_proposals_has_none(predictor):
    assert len(predictor.propose(np.zeros((1, 1, 3), np.uint8))) == 0


def test_it_says_what_runs_and_what_determines_the_proposals(predictor):
    assert re.fullmatch(r"litert [\d.]+, float32, \d+ threads", predictor.engine)
    assert predictor.config == CONFIG and predictor.settings["proposer"] == CONFIG.to_dict()


def test_threads_that_ask_at_once_are_answered_like_one(predictor):
    """An interpreter has one image at a time in its memory."""
    images = [scene(seed, (40 + seed, 60)) for seed in range(8)]
    alone = [predictor.propose(image).rles for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert [proposals.rles for proposals in pool.map(predictor.propose, images)] == alone


def test_it_runs_without_tensorflow(file):
    program = (
        f"import sys, numpy, ifcn_tf; predictor = ifcn_tf.load({str(file)!r}, num_proposals=2);"
        "print(len(predictor.propose(numpy.full((40, 50, 3), 99, 'uint8'))));"
        "assert not {'tensorflow', 'keras', 'onnx', 'onnxruntime'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_what_cannot_be_run_or_written_is_refused_by_a_sentence(file, tmp_path):
    (tmp_path / "no.tflite").write_text("nothing")
    with pytest.raises(UserError, match=r"no\.tflite is no file of `ifcn-tf export`, or damaged"):
        ifcn_tf.load(tmp_path / "no.tflite")
    with pytest.raises(UserError, match=r"model\.tflite is run by litert, not by onnxruntime: leave the engine out"):
        ifcn_tf.load(file, engine="onnxruntime")
    with pytest.raises(UserError, match=r"litert runs exported files: .* --format=litert .*\(--litert\)"):
        ifcn_tf.load(engine="litert")
    with pytest.raises(UserError, match="litert computes in float32, not in bfloat16"):
        ifcn_tf.load(file, precision="bfloat16")
    with pytest.raises(UserError, match="a LiteRT file holds a float32 network, not one of bfloat16"):
        export_litert(build_network(TINY, "bfloat16"), CONFIG, tmp_path / "x.tflite")
    assert not (tmp_path / "x.tflite").exists()


def test_a_full_disk_is_named_and_nothing_is_left(network, tmp_path, monkeypatch):
    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(UserError, match=rf"cannot write {tmp_path}/x\.tflite, .*: No space left on device; free some"):
        export_litert(network, CONFIG, tmp_path / "x.tflite")
    assert not any(tmp_path.iterdir())

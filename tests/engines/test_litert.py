"""The whole method as one LiteRT file, against TensorFlow."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pycocotools import mask as coco_mask

import ifcn_tf
from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.engines.litert_export import export_litert
from ifcn_tf.models.method import build_network
from ifcn_tf.models.score_head import build_score_head
from ifcn_tf.predictor import Predictor
from tests.support.exported import narrow_network, scene
from tests.support.tiny import TINY

CONFIG = ProposerConfig(
    shorter_sides=(60, 110),
    num_proposals=40,
    num_ranked=60,
    pre_nms=150,
    nms_iou=0.9,
    min_area=30.0,
    blend_cells=1,
    confidence_weight=0.8,
    overlap_penalty=2.0,
    edge_samples=2,
)


@pytest.fixture(scope="module")
def network():
    """With a score head, whose weights are random."""
    network = narrow_network()
    network.score_head = build_score_head(3 * 16 + 25)
    yield network
    network.score_head = None


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "model.tflite"
    export_litert(network, CONFIG, path)
    return path


@pytest.fixture(scope="module")
def predictor(file):
    return ifcn_tf.load(file)


@pytest.mark.parametrize("size_hw", [(60, 80), (97, 61), (40, 300), (7, 9), (230, 180)])
def test_the_proposals_are_those_of_tensorflow(size_hw, network, predictor):
    image, expected = scene(1, size_hw), Predictor.of_network(network, CONFIG)
    found, wanted = predictor._run(image), expected._graph(tf.constant(image))
    assert len(found["scores"]) == len(wanted["scores"]) > 2
    for name, tolerance in (("scores", 1e-5), ("boxes_yxyx", 1e-3), ("windows_yxyx", 1e-3)):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=tolerance, err_msg=name)
    found, wanted = predictor.propose(image), expected.propose(image)
    assert np.diag(coco_mask.iou(found.rles, wanted.rles, [0] * len(found))).min() > 0.98


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

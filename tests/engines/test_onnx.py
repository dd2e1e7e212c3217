"""The whole method as one file, run by ONNX Runtime and OpenVINO, against TensorFlow."""

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

import ifcn_tf
from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.config.network import InstanceFCNConfig
from ifcn_tf.engines import loading
from ifcn_tf.engines.onnx_export import export_onnx
from ifcn_tf.engines.onnx_parts import apart, joined
from ifcn_tf.engines.onnx_predictor import OnnxPredictor
from ifcn_tf.engines.predictor import METADATA, VERSION
from ifcn_tf.images.tensors import resize, resize_by_products
from ifcn_tf.models.method import build_network
from ifcn_tf.models.trunks import vgg16
from ifcn_tf.predictor import Predictor
from tests.support.exported import SAMPLE, scene
from tests.support.onnx_run import assert_same_features, on_onnxruntime
from tests.support.tiny import TINY
from tests.support.whole_method import CONFIG, SIZES_HW, assert_same_proposals, network_with_heads

WHOLE = CONFIG.changed({"focus_threshold": 0})
#: In the precision of the others.
OPENVINO = {"engine": "openvino", "precision": "float32"}


def require_openvino():
    return pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")


@pytest.fixture(scope="module")
def network():
    with network_with_heads() as network:
        yield network


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(network, CONFIG, path)
    return path


@pytest.fixture(scope="module")
def whole_file(network, tmp_path_factory):
    """One that looks at all scales whole."""
    path = tmp_path_factory.mktemp("whole") / "model.onnx"
    export_onnx(network, WHOLE, path)
    return path


@pytest.fixture(scope="module")
def expected(network):
    return Predictor.of_network(network, CONFIG)


@pytest.fixture(scope="module", params=[{"engine": "onnxruntime"}, OPENVINO], ids=lambda given: given["engine"])
def predictor(request, file):
    if request.param["engine"] == "openvino":
        require_openvino()
    return ifcn_tf.load(file, **request.param)


@pytest.mark.parametrize("size_hw", SIZES_HW)
def test_the_proposals_are_those_of_tensorflow(size_hw, predictor, expected):
    assert_same_proposals(predictor, expected, scene(1, size_hw))


def test_an_image_without_proposals_has_none(predictor):
    assert len(predictor.propose(np.zeros((1, 1, 3), np.uint8))) == 0


def test_it_says_what_runs_and_what_determines_the_proposals(predictor, file):
    assert predictor.engine.endswith("threads") and "float32" in predictor.engine
    assert predictor.config == CONFIG
    assert predictor.settings.keys() == {"weights", "precision", "proposer"}


def test_an_image_that_a_runtime_fails_on_is_a_bad_one(predictor, monkeypatch):
    """Such as one that no memory is left for; the errors of runtimes share no class."""

    def fail(image):
        raise RuntimeError("no memory")

    monkeypatch.setattr(predictor, "_compute", fail)
    with pytest.raises(BadImageError, match=r"failed on an image of \(8, 9\) px: no memory"):
        predictor.propose(np.zeros([8, 9, 3], np.uint8))


def test_no_proposals_are_not_all_of_them(file):
    with pytest.raises(UserError, match="num_proposals"):
        ifcn_tf.load(file, engine="onnxruntime", num_proposals=0)


def test_openvino_says_which_precision_it_takes(whole_file):
    """A trunk that computes in bfloat16 moves masks a little; each proposal has its like among those in float32."""
    require_openvino()
    from ifcn_tf.engines.openvino_predictor import core

    photograph = np.asarray(Image.open(SAMPLE).resize((180, 120)))
    wanted, found = (ifcn_tf.load(whole_file, **{**OPENVINO, "precision": name}) for name in ("float32", "bfloat16"))
    capable = "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert wanted.settings["precision"] == "float32" and "float32" in wanted.engine
    assert found.settings["precision"] == ("bfloat16" if capable else "float32")
    found, wanted = found.propose(photograph), wanted.propose(photograph)
    overlaps = coco_mask.iou(found.rles, wanted.rles, [0] * len(wanted))
    assert overlaps.max(1).mean() > 0.98 and overlaps.max(0).mean() > 0.98
    with pytest.raises(UserError, match="precision must be one of auto, float32, bfloat16, not 'half'"):
        ifcn_tf.load(whole_file, **{**OPENVINO, "precision": "half"})


def test_openvino_gives_memory_back_after_some_photographs(file, monkeypatch):
    """After each of them it would take a tenth of their time."""
    require_openvino()
    from ifcn_tf.engines import openvino_predictor

    given = []
    monkeypatch.setattr(openvino_predictor, "give_back_memory", lambda: given.append(None))
    monkeypatch.setattr(openvino_predictor, "_GIVES_BACK", 3)
    predictor = ifcn_tf.load(file, **OPENVINO)
    for _ in range(7):
        predictor.propose(np.zeros((20, 20, 3), np.uint8))
    assert len(given) == 2


def test_in_bfloat16_objectness_has_as_many_values_as_in_float32(file):
    require_openvino()
    predictor = ifcn_tf.load(file, **{**OPENVINO, "precision": "bfloat16"})
    noise = np.random.default_rng(0).uniform(0, 255, (1, 200, 300, 3)).astype(np.float32)
    found = predictor.features({"scale0": noise})
    assert len(np.unique(found["scale0/objectness_logits"])) > 0.99 * 25 * 38


def test_the_bare_network_that_is_timed_beside_peers_is_that_of_the_file(file, tmp_path):
    require_openvino()
    from ifcn_tf.benchmarks import peers

    predictor = ifcn_tf.load(file, engine="openvino")
    Image.fromarray(scene(0, (60, 80))).save(tmp_path / "photograph.png")
    longer = scene(0, (96, 128))[None].astype(np.float32)
    photograph = peers.Photograph(tmp_path / "photograph.png", scene(0, (60, 80)), longer)
    steps = peers.on_openvino(predictor, file, photograph)
    one, scales, whole = (
        steps["default", what, predictor.engine] for what in (peers.ONE_SCALE, peers.ALL_SCALES, peers.WHOLE)
    )
    assert len(whole()) == len(predictor.propose(photograph.image)) > 0
    assert len(scales()) == len(CONFIG.shorter_sides) * len(one())
    expected = predictor.features({"scale0": longer})
    for output, values in one().items():
        wanted = expected[f"scale0/{output.any_name}"]
        np.testing.assert_allclose(values, wanted, atol=0.05 * np.abs(wanted).max())  # in bfloat16, where there is it


def test_a_process_that_had_openvino_can_be_interrupted(file):
    """Each `openvino.Core` brings a stack for signals; the second of two gives back the first one's, which is gone."""
    require_openvino()
    program = (
        "import gc, os, signal, ifcn_tf\n"
        f"predictors = [ifcn_tf.load({str(file)!r}, engine='openvino') for _ in range(2)]\n"
        "while predictors: del predictors[0]; gc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_a_file_is_put_together_of_the_parts_that_it_is_taken_apart_into(file):
    model = onnx.load(file)
    parts = apart(model)
    assert joined(parts).graph == model.graph
    assert parts.chips is not None and parts.refiner is not None and parts.ranking is not None
    assert {value.name for value in model.graph.output} == {"scores", "boxes_yxyx", "windows_yxyx", "mask_logits"}
    assert [value.name for value in parts.network.input] == ["image"]
    assert {value.name for value in parts.network.output} == {"objectness_logits", "score_maps", "trunk"}


def test_a_file_of_masks_that_stay_has_no_refiner(network, tmp_path):
    export_onnx(network, CONFIG.changed({"edge_samples": 0}), tmp_path / "coarse.onnx")
    parts = apart(onnx.load(tmp_path / "coarse.onnx"))
    assert (
        parts.refiner is None
        and parts.ranking is None
        and joined(parts).graph == onnx.load(tmp_path / "coarse.onnx").graph
    )


def test_a_file_that_looks_at_all_scales_whole_has_no_chips(network, whole_file, expected):
    parts, image = apart(onnx.load(whole_file)), scene(1, (60, 80))
    assert parts.chips is None and len(parts.pyramid.output) == len(CONFIG.shorter_sides)
    whole = Predictor.of_network(network, WHOLE)
    assert_same_proposals(OnnxPredictor(whole_file), whole, image)
    # It finds other things than the file that looks at a part of the finer scale.
    assert whole.propose(image).rles != expected.propose(image).rles


def test_photographs_that_are_done_at_once_are_kept_apart(predictor):
    images = [scene(number, (60, 80)) for number in range(4)] * 3
    alone = [predictor.propose(image).rles for image in images[:4]]
    assert [proposals.rles for proposals in predictor.propose_batch(images)] == alone * 3


def test_the_engine_of_files_is_the_fastest_that_is_there(file, monkeypatch):
    monkeypatch.setattr(loading, "find_spec", lambda name: None if name == "openvino" else name)
    assert (loading.file_engine(), loading.installed_engines()) == ("onnxruntime", ["onnxruntime"])
    with pytest.raises(UserError, match=r"openvino needs openvino, .* pip install 'ifcn-tf\[openvino\]'"):
        ifcn_tf.load(file, engine="openvino")
    monkeypatch.setattr(loading, "find_spec", lambda name: name)
    for machine, engine in (("x86_64", "openvino"), ("aarch64", "onnxruntime")):
        monkeypatch.setattr(loading.platform, "machine", lambda machine=machine: machine)
        assert loading.file_engine() == engine


def test_fewer_proposals_are_the_first_ones(file):
    image = scene(1, (60, 80))
    few, all_ = (OnnxPredictor(file, num_proposals=count).propose(image) for count in (2, 1000))
    assert few.rles == all_.rles[:2]
    with pytest.raises(UserError, match="has its own nms_iou, fixed when it was exported: leave it out"):
        OnnxPredictor(file, nms_iou=0.5)


def test_an_image_file_is_read_as_it_is_proposed_from(file, tmp_path):
    """So that the proposals can be drawn over it."""
    pixels, predictor = scene(0, (50, 60)), OnnxPredictor(file, max_pixels=3000)
    for name in ("a.png", "a.tif"):
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(predictor.read(str(tmp_path / name)), pixels)
        image, proposals = predictor.propose_file(tmp_path / name)
        np.testing.assert_array_equal(image, pixels)
        assert proposals.rles == predictor.propose(pixels).rles
    with pytest.raises(BadImageError, match="over the limit of 2999"):
        OnnxPredictor(file, max_pixels=2999).read(tmp_path / "a.png")


@pytest.mark.parametrize("engine, absent", [("onnxruntime", ["onnx", "openvino"]), ("openvino", [])])
def test_it_runs_without_tensorflow(engine, absent, file):
    if engine == "openvino":
        require_openvino()
    program = (
        f"import sys, numpy, ifcn_tf; predictor = ifcn_tf.load({str(file)!r}, engine={engine!r});"
        "print(len(predictor.propose(numpy.zeros((40, 50, 3), 'uint8'))));"
        f"assert not {{'tensorflow', 'keras', 'tf2onnx', *{absent}}} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_bad_files_end_with_one_sentence(file, tmp_path):
    (tmp_path / "no.onnx").write_text("nothing")
    with pytest.raises(UserError, match=r"no\.onnx is no file of `ifcn-tf export`, or damaged"):
        OnnxPredictor(tmp_path / "no.onnx")
    with pytest.raises(UserError, match=r"cannot read .*absent\.onnx: No such file"):
        OnnxPredictor(tmp_path / "absent.onnx")
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {METADATA: json.dumps({"proposer": CONFIG.to_dict(), "model": {}})})
    onnx.save(model, tmp_path / "former.onnx")
    with pytest.raises(UserError, match=r"former\.onnx is of another version, .* network alone: export it anew"):
        OnnxPredictor(tmp_path / "former.onnx")
    with pytest.raises(UserError, match="not one of bfloat16: ask for precision float32"):
        export_onnx(build_network(TINY, "bfloat16"), CONFIG, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists() and VERSION == 2


def test_an_engine_that_cannot_be_had_is_refused_by_a_sentence(file, monkeypatch):
    with pytest.raises(UserError, match=r"onnxruntime runs exported files: .* --format=onnx .*\(--onnx\)"):
        ifcn_tf.load(engine="onnxruntime")
    with pytest.raises(UserError, match=r"engine must be one of auto, .* not 'torch'"):
        ifcn_tf.load(engine="torch")
    with pytest.raises(UserError, match="onnxruntime computes in float32, not in bfloat16"):
        ifcn_tf.load(file, engine="onnxruntime", precision="bfloat16")
    with pytest.raises(UserError, match="is run by openvino or onnxruntime, not by tensorflow: leave the engine out"):
        ifcn_tf.load(file, engine="tensorflow")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "ifcn_tf.engines.onnx_predictor")
    with pytest.raises(UserError, match=r"needs onnxruntime, which is not installed: pip install 'ifcn-tf\[onnx\]'"):
        ifcn_tf.load(file)
    with pytest.raises(UserError, match=r"needs onnxruntime: pip install 'ifcn-tf\[onnx\]'"):
        importlib.import_module("ifcn_tf.engines.onnx_predictor")


sides = st.integers(1, 70)


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 2**32 - 1))
def test_resizing_by_products_is_resizing(height, width, new_height, new_width, seed):
    image = tf.constant(np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8))
    found, wanted = (way(image, new_height, new_width) for way in (resize_by_products, resize))
    np.testing.assert_allclose(found, wanted, atol=0.01)


def test_quotients_of_negative_integers_are_rounded_down():
    run = on_onnxruntime(lambda a: {"quotient": a // 8}, tf.TensorSpec([None], tf.int32, "a"))
    np.testing.assert_array_equal(run(np.arange(-20, 20, dtype=np.int32))["quotient"], np.arange(-20, 20) // 8)


def test_preprocessing_and_dilated_convolutions_are_converted(monkeypatch):
    """Of a VGG-16 with fewer channels."""
    monkeypatch.setattr(vgg16, "TRUNK", vgg16.VGG16((8, 8, 8, 16, 16)))
    narrow = build_network(InstanceFCNConfig(branch_channels=16), "float32")
    random, plain = np.random.default_rng(0), dataclasses.replace(CONFIG, edge_samples=0)
    images = [random.uniform(0, 255, (1, *size_hw, 3)).astype(np.float32) for size_hw in ((97, 61), (8, 200))]
    assert_same_features(narrow, plain, images)

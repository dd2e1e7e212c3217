"""Network and refiner of a file in integers of 8 bits."""

import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import ifcn_tf
from ifcn_tf.common.files import UserError
from ifcn_tf.engines.onnx_export import export_onnx
from tests.engines.test_onnx import CONFIG, require_openvino
from tests.support.exported import scene
from tests.support.whole_method import network_with_heads

pytest.importorskip("nncf", reason="NNCF is not installed: pip install '.[quantize]'")
from ifcn_tf.engines import quantization


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(5):
        Image.fromarray(scene(number, (90, 120))).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def made(photographs, tmp_path_factory):
    """The file, the one that was quantised, and how they agree."""
    folder = tmp_path_factory.mktemp("quantized")
    with network_with_heads() as network:
        export_onnx(network, CONFIG, folder / "float.onnx")
    said = quantization.quantize(folder / "float.onnx", photographs, folder / "int8.onnx")
    return folder / "float.onnx", folder / "int8.onnx", said


def test_maps_and_proposals_are_nearly_those_of_float32(made, photographs):
    file, quantized, said = made
    assert [row.answer for row in said][-1] == "refined"
    assert {row.answer for row in said} >= {"score_maps", "objectness_logits"}
    assert all(0.99 < row.correlation < 1 and 0.95 < row.same_sign <= 1 for row in said), said
    wanted, found = (ifcn_tf.load(path, engine="onnxruntime") for path in (file, quantized))
    assert ", int8 and float32, " in found.engine and ", float32, " in wanted.engine
    masks, others = (predictor.propose(photographs[0]).rles for predictor in (found, wanted))
    assert coco_mask.iou(masks, others, [0] * len(others)).max(1).mean() > 0.9


def test_openvino_runs_it(made, photographs):
    require_openvino()
    predictors = [ifcn_tf.load(made[1], engine="openvino"), ifcn_tf.load(made[1], engine="onnxruntime")]
    assert ", int8 and " in predictors[0].engine
    masks, others = (predictor.propose(photographs[0]).rles for predictor in predictors)
    assert coco_mask.iou(masks, others, [0] * len(others)).max(1).mean() > 0.9


def test_the_outermost_convolutions_stay(made):
    """In floating point; of the refiner the last alone."""
    parts = quantization.apart(quantization.onnx.load(made[0]))
    kept = {*quantization._outermost(parts.network)}, {*quantization._last(parts.refiner)}
    names = [{name.rsplit("/", 1)[0].split("/")[-1].removesuffix("_1") for name in part} for part in kept]
    assert names == [{"tiny1_conv", "objectness_map", "score_maps"}, {"change"}]


def test_bad_input_is_refused_by_a_sentence(made, photographs, tmp_path):
    with pytest.raises(UserError, match="needs two photographs or more"):
        quantization.quantize(made[0], photographs[:1], tmp_path / "x.onnx")
    with pytest.raises(UserError, match=r"int8\.onnx is quantised already: give the file of `ifcn-tf export`"):
        quantization.quantize(made[1], photographs, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())

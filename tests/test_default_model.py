"""The bundled weights: on the sample photograph they find what is stored beside it."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

import ifcn_tf

SAMPLE = Path(__file__).parents[1] / "savedmodels" / "sample"


@pytest.fixture(scope="module")
def predictor():
    return ifcn_tf.load(engine="tensorflow")


def test_finds_the_stored_masks(predictor):
    """Best distinct proposals; stored in bfloat16, and near enough in float32 to overlap at IoU .9."""
    expected = json.loads((SAMPLE / "expected.json").read_text())
    found = predictor.propose(SAMPLE / "coffee.jpg")
    assert len(expected) >= 3
    overlaps = coco_mask.iou([entry["segmentation"] for entry in expected], found.rles, [0] * len(found))
    assert overlaps.max(1).min() > 0.9
    best = overlaps.argmax(1)
    np.testing.assert_allclose(found.scores[best], [entry["score"] for entry in expected], atol=0.1)


def test_a_path_and_its_pixels_are_the_same(predictor):
    from_path = predictor.propose(str(SAMPLE / "coffee.jpg"))
    from_pixels = predictor.propose(predictor.read(SAMPLE / "coffee.jpg"))
    assert from_path.rles == from_pixels.rles
    with pytest.raises(ifcn_tf.common.files.UserError, match=r"must be uint8 \[H, W, 3\]"):
        predictor.propose(np.zeros((4, 4)))


def test_the_model_in_8_bits_finds_them_too():
    """Without TensorFlow, whose weights it was made of: masks at IoU .8, scores within .15."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")
    expected = json.loads((SAMPLE / "expected.json").read_text())
    predictor = ifcn_tf.load(engine="openvino", precision="float32")
    assert "int8" in predictor.engine
    found = predictor.propose(SAMPLE / "coffee.jpg")
    overlaps = coco_mask.iou([entry["segmentation"] for entry in expected], found.rles, [0] * len(found))
    assert overlaps.max(1).min() > 0.8
    best = overlaps.argmax(1)
    np.testing.assert_allclose(found.scores[best], [entry["score"] for entry in expected], atol=0.15)


def test_sizes_that_bfloat16_does_not_have():
    """322 x 559 px has 293 cells a row at the largest scale, between two numbers of bfloat16."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")
    noise = np.random.default_rng(10).integers(0, 256, (322, 559, 3), np.uint8)
    assert len(ifcn_tf.load(engine="openvino").propose(noise)) > 100

"""Edge Boxes with a forest of one question, and files that hold no forest."""

import gzip
import re

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ifcn_tf.baselines.edge_boxes import EdgeBoxes
from ifcn_tf.common.files import UserError
from tests.support.edge_model import write_edge_model


def test_the_best_box_is_around_the_object(tmp_path):
    image = np.full((120, 160, 3), 60, np.uint8)
    image[30:90, 40:120] = (200, 180, 90)
    proposals = EdgeBoxes(write_edge_model(tmp_path / "model.yml"), 20)(image)
    assert len(proposals) == 20
    assert (np.diff(proposals.scores) <= 0).all()
    assert coco_mask.iou([proposals.boxes_xywh()[0]], [[40, 30, 80, 60]], [0]) > 0.75
    sides = proposals.boxes_xywh()[:, 2:]
    np.testing.assert_array_equal(proposals.areas(), sides.prod(1))  # masks are whole boxes
    assert len(EdgeBoxes(tmp_path / "model.yml", 3)(image)) == 3


@pytest.mark.parametrize("size", [(20, 40), (60, 80)])
def test_a_bare_picture_has_no_box(size, tmp_path):
    proposals = EdgeBoxes(write_edge_model(tmp_path / "model.yml"), 20)(np.full((*size, 3), 90, np.uint8))
    assert (len(proposals), proposals.size_hw) == (0, size)


def test_other_files_are_refused(tmp_path):
    """Of these, OpenCV ends the process at a YAML file without a forest, and at one that is cut off."""
    forest = gzip.compress(write_edge_model(tmp_path / "model.yml").read_bytes())
    contents = {
        "text.yml": b"hello",
        "other.yml": b"%YAML:1.0\n---\na: 1\n",
        "cut.yml.gz": forest[: len(forest) // 2],
        "noise.yml.gz": b"no gzip",
        "empty.yml": b"",
        "zipped.yml": forest,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{re.escape(name)} holds no edge detector of OpenCV.*opencv_extra"):
            EdgeBoxes(tmp_path / name, 10)
    with pytest.raises(UserError, match=r"cannot read .*absent\.yml: No such file"):
        EdgeBoxes(tmp_path / "absent.yml", 10)

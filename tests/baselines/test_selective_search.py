"""Selective Search against OpenCV's own, which hands out the boxes of the same regions."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.baselines.selective_search import _hierarchy, find_hierarchies, selective_search
from ifcn_tf.masks.rle import encode

SAMPLE = Path(__file__).parents[2] / "savedmodels" / "sample" / "coffee.jpg"


@pytest.fixture(scope="module")
def image():
    with Image.open(SAMPLE) as picture:
        return np.asarray(picture.convert("RGB").resize((150, 100)))


def test_regions_have_the_boxes_that_opencv_finds(image):
    reference = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    reference.setBaseImage(np.ascontiguousarray(image[..., ::-1]))  # BGR
    reference.switchToSelectiveSearchFast()
    expected = {tuple(box) for box in np.asarray(reference.process()).tolist()}
    masks = [encode(h.mask(i)) for h in find_hierarchies(image) for i in range(len(h.spans))]
    assert {tuple(box) for box in coco_mask.toBbox(masks).astype(int).tolist()} == expected
    assert len(expected) > 50


def test_numbers_of_joined_regions_follow_each_other():
    # 0 and 2 become 3, then 1 and 3 become 4; region 5 would be one that touches none.
    labels = np.array([[0, 0, 1], [2, 2, 1]])
    hierarchy = _hierarchy(labels, [(0, 2), (1, 3)])
    for region, expected in enumerate([labels == 0, labels == 1, labels == 2, labels != 1, labels >= 0]):
        np.testing.assert_array_equal(hierarchy.mask(region), expected)
    apart = _hierarchy(np.array([[0, 1]]), [])
    assert [apart.mask(i).tolist() for i in (0, 1)] == [[[True, False]], [[False, True]]]


def test_proposals_are_distinct_and_always_the_same(image):
    proposals = selective_search(image, 1000)
    assert len({rle["counts"] for rle in proposals.rles}) == len(proposals) < 1000
    assert [proposals.scores[0], proposals.scores[-1]] == pytest.approx([1, 1 / len(proposals)])
    again = selective_search(image, 40)
    assert again.rles == proposals.rles[:40]
    assert image.shape[0] * image.shape[1] in proposals.areas()  # in the end all is one region
    # What arose last, and is large, tends to come first.
    quarter = len(proposals) // 4
    assert np.median(proposals.areas()[:quarter]) > 2 * np.median(proposals.areas()[-quarter:])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (30, 30)])
def test_a_bare_picture_is_one_region(size):
    proposals = selective_search(np.full((*size, 3), 90, np.uint8), 10)
    assert proposals.areas().tolist() == [size[0] * size[1]]

"""Truth from COCO: what may be absent, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.evaluation.run import read_truth
from ifcn_tf.evaluation.truth import read_coco
from tests.support.evaluation_data import annotation, rectangle, rle, truth_content, write

SIZE_HW = (12, 16)
MASK = rectangle(SIZE_HW, 1, 2, 5, 8)


def test_annotation_ids_from_zero_are_fine(tmp_path: Path):
    content = truth_content({1: SIZE_HW}, [annotation(0, 1, MASK), annotation(1, 1, MASK)])
    assert read_coco(write(tmp_path / "t.json", content)).num_objects == 2


@pytest.mark.parametrize("area", [None, -1, math.nan, math.inf, -math.inf, 1e11, pytest.param(10**400, id="huge")])
def test_an_area_that_is_none_is_the_masks_own(tmp_path: Path, area):
    content = truth_content({1: SIZE_HW}, [annotation(0, 1, MASK, area=area)])
    assert read_coco(write(tmp_path / "t.json", content)).images[0].areas.tolist() == [24]


def test_ids_may_be_negative_and_texts_of_numbers(tmp_path: Path):
    content = truth_content({"-3": SIZE_HW, "x-3": SIZE_HW, 2: SIZE_HW}, [annotation(-1, -3, MASK)])
    truth = read_coco(write(tmp_path / "t.json", content))
    assert [(image.image_id, len(image.objects)) for image in truth.images] == [(-3, 1), (2, 0), ("x-3", 0)]


def test_a_name_may_be_any_text(tmp_path: Path):
    truth = read_coco(write(tmp_path / "t.json", with_image(file_name="\ud800.jpg")))
    assert truth.images[0].file_name == "\ud800.jpg"


def test_an_area_that_is_stated_is_kept(tmp_path: Path):
    content = truth_content({1: SIZE_HW}, [annotation(0, 1, MASK, area=30.5), annotation(1, 1, MASK, area=0)])
    assert read_coco(write(tmp_path / "t.json", content)).images[0].areas.tolist() == [30.5, 0]


def test_ids_boxes_areas_and_categories_may_be_absent(tmp_path: Path):
    bare = {"image_id": "0001", "segmentation": rle(MASK)}
    annotations = [bare, bare | {"id": 7, "bbox": None}, bare | {"id": None}]
    content = truth_content({1: SIZE_HW}, annotations) | {"categories": []}
    truth = read_coco(write(tmp_path / "t.json", content))
    (image,) = truth.images
    assert image.boxes_xywh.tolist() == [[2, 1, 6, 4]] * 3
    assert image.areas.tolist() == [24] * 3
    assert truth.categories == {}
    del content["categories"]
    assert read_coco(write(tmp_path / "t.json", content)).num_objects == 3


COMPLETE = truth_content({1: SIZE_HW, 2: SIZE_HW}, [annotation(1, 1, MASK)])


def with_image(**more: Any) -> dict[str, Any]:
    return COMPLETE | {"images": [COMPLETE["images"][0] | more]}


def with_annotation(**more: Any) -> dict[str, Any]:
    return COMPLETE | {"annotations": [annotation(1, 1, MASK) | more]}


REFUSED = {
    "results instead": ([], "is no COCO json: it has to be an object"),
    "image twice": (COMPLETE | {"images": COMPLETE["images"] * 2}, r"2 image id\(s\) appear more than once \(1, 2\)"),
    "annotation twice": (COMPLETE | {"annotations": COMPLETE["annotations"] * 2}, "1 annotation id"),
    "unknown image": (COMPLETE | {"annotations": [annotation(5, 9, MASK)]}, r"1 annotations \(5\) belong to images"),
    "numbers for images": (COMPLETE | {"images": [1]}, "needs lists of 'images' and 'annotations'"),
    "one annotation": (COMPLETE | {"annotations": {"id": 1}}, "needs lists of 'images' and 'annotations'"),
    "no image id": (COMPLETE | {"images": [{"height": 3}]}, "image id None is neither"),
    "no height": (with_image(height=None), "image 1 has no height: `ifcn-tf prepare-data --format=coco`"),
    "no width": (COMPLETE | {"images": [{"id": 1, "height": 3}]}, "image 1 has no width: `ifcn-tf prepare-data"),
    "flat": (with_image(height=0), "image 1: its height is 0, a positive whole number"),
    "inside out": (with_image(width=-4), "image 1: its width is -4, a positive whole number"),
    "half a pixel": (with_image(width=15.5), "image 1: its width is 15.5, a positive whole number"),
    "endless": (with_image(width=math.inf), "image 1: its width is inf, a positive whole number"),
    "text for height": (with_image(height="x"), "image 1: its height is 'x', a positive whole number"),
    "other size": (COMPLETE | {"annotations": [annotation(1, 1, MASK.T)]}, "annotation 1 .*: its mask is 16 x 12"),
    "half a box": (with_annotation(bbox=[1, 2]), r"annotation 1 of image 1: its bbox is \[1, 2\], four finite"),
    "empty box": (with_annotation(bbox=[]), r"annotation 1 of image 1: its bbox is \[\], four finite"),
    "text in box": (with_annotation(bbox=["a", 1, 2, 3]), "annotation 1 of image 1: its bbox is .'a', 1, 2, 3., four"),
    "crowd of text": (with_annotation(iscrowd="0"), "annotation 1 of image 1: its iscrowd is '0', 0 or 1 is needed"),
    "empty list for mask": (with_annotation(segmentation=[]), "annotation 1 of image 1: it has no segmentation"),
    "no annotations": ({"images": []}, "is no COCO json: it needs lists of 'images' and 'annotations'"),
    "text for area": (with_annotation(area="x"), "annotation 1 of image 1: its area is 'x', a number"),
    "odd id": (with_annotation(id=[1]), r"annotation id \[1\] is neither"),
    "no image of it": (with_annotation(image_id=None), "annotation 1: its image_id is None"),
    "list for image": (with_annotation(image_id=[1]), r"annotation 1: its image_id is \[1\]"),
    "no mask": (with_annotation(segmentation=None), "annotation 1 of image 1: it has no segmentation"),
    "other category": (with_annotation(category_id=9), "annotation 1 of image 1: its category_id is 9, which"),
    "no category": (with_annotation(category_id=None), "annotation 1 of image 1: its category_id is None, which"),
    "list for category": (
        with_annotation(category_id=[3]),
        r"image 1: its category_id is \[3\], which",
    ),
    "nameless category": (COMPLETE | {"categories": [{"id": 3}]}, "'categories' needs an 'id' and a 'name'"),
    "category of none": (COMPLETE | {"categories": [None]}, "'categories' needs an 'id' and a 'name'"),
    "category by number": (COMPLETE | {"categories": 5}, "'categories' needs an 'id' and a 'name'"),
    "polygon far away": (
        with_annotation(segmentation=[[1, 1, 8, 8, 1e9, 2]]),
        "annotation 1 of image 1: its polygon lies more than the image's longer side outside",
    ),
    "damaged": (
        COMPLETE | {"annotations": [annotation(1, 1, MASK) | {"segmentation": {"size": [12, 16], "counts": "5"}}]},
        "damaged",
    ),
}


@pytest.mark.parametrize("content, message", REFUSED.values(), ids=REFUSED)
def test_bad_annotations_are_refused(tmp_path: Path, content, message: str):
    with pytest.raises(UserError, match=message) as error:
        read_coco(write(tmp_path / "truth.json", content))
    assert "truth.json" in str(error.value)


def test_exactly_one_truth_is_needed():
    for coco, voc in ((None, None), ("a.json", "b")):
        with pytest.raises(UserError, match="give the truth"):
            read_truth(coco, voc, "val", None)

"""Truth from COCO, VOC and SBD, and the image lists of the papers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.example import Example
from ifcn_tf.annotations.label_images import VOC_CATEGORIES
from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.evaluate import evaluate
from ifcn_tf.evaluation.protocols import PROTOCOLS, apply_protocol
from ifcn_tf.evaluation.run import read_truth
from ifcn_tf.evaluation.truth import Truth, read_coco
from ifcn_tf.evaluation.voc import read_voc
from ifcn_tf.results.reader import Results
from tests.support.evaluation_data import annotation, rectangle, rle, truth_content, write

SIZE_HW = (12, 16)
MASK = rectangle(SIZE_HW, 1, 2, 5, 8)
#: Two objects that touch, void around a part of them.
INSTANCES = np.zeros(SIZE_HW, np.uint8)
INSTANCES[2:6, 2:7], INSTANCES[2:6, 7:9], INSTANCES[6, 2:9] = 1, 2, 255


def write_voc(root: Path, names: list[str]) -> Path:
    for folder, content in (
        ("SegmentationObject", INSTANCES),
        ("SegmentationClass", np.array([0, 12, 15])[INSTANCES % 255]),
    ):
        (root / folder).mkdir(parents=True)
        for name in names:
            picture = content.astype(np.uint8).copy()
            picture[INSTANCES == 255] = 255
            Image.fromarray(picture).save(root / folder / f"{name}.png")
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(names) + "\n")
    return root


def write_sbd(root: Path, names: list[str], categories: tuple[int, ...] = (12, 15)) -> Path:
    (root / "inst").mkdir(parents=True)
    for name in names:
        content = {"Segmentation": INSTANCES % 255, "Categories": np.array(categories, np.uint8)[:, None]}
        scipy.io.savemat(root / "inst" / f"{name}.mat", {"GTinst": content})
    (root / "val.txt").write_text("\n".join(names))
    return root


@pytest.mark.parametrize("make", [write_voc, write_sbd])
def test_voc_and_sbd_give_the_same_objects(tmp_path: Path, make):
    truth = read_voc(make(tmp_path, ["2007_000032", "000039"]), "val")
    # "2007_000032" is a text, although Python's int() would take it; numbers come first.
    assert [image.image_id for image in truth.images] == [39, "2007_000032"]
    image = truth.images[1]
    masks = coco_mask.decode(image.rles).transpose(2, 0, 1)
    np.testing.assert_array_equal(masks, [INSTANCES == 1, INSTANCES == 2])  # void is no object
    assert image.areas.tolist() == [20, 8]
    assert image.boxes_xywh.tolist() == [[2, 2, 5, 4], [7, 2, 2, 4]]
    assert [truth.categories[item.category_id] for item in image.objects] == ["dog", "person"]
    assert image.file_name == "2007_000032.jpg"
    assert truth.num_objects == 4


def test_an_object_of_sbd_without_pixels_is_none(tmp_path: Path):
    """As in data preparation; one of a single pixel counts here alone."""
    root = write_sbd(tmp_path, ["1"], categories=(12, 15, 3))
    assert read_voc(root, "val").images[0].areas.tolist() == [20, 8]
    content = {"Segmentation": np.where(INSTANCES == 2, 0, INSTANCES % 255), "Categories": np.array([[12], [15]])}
    content["Segmentation"][0, 0] = 2
    scipy.io.savemat(root / "inst" / "1.mat", {"GTinst": content})
    assert read_voc(root, "val").images[0].areas.tolist() == [20, 1]


def test_photographs_without_classes_have_objects_of_none(tmp_path: Path):
    write_voc(tmp_path, ["1", "2"])
    (tmp_path / "SegmentationClass" / "1.png").unlink()
    truth = read_voc(tmp_path, "val")
    assert [[item.category_id for item in image.objects] for image in truth.images] == [[0, 0], [12, 15]]
    found = evaluate(Results(truth.sizes), truth, "none", EvaluationConfig(num_proposals=(1,), resamples=2))
    assert found.kinds["mask"].categories == {"dog": [0], "person": [0]}


def test_a_split_may_be_a_file(tmp_path: Path):
    write_voc(tmp_path / "voc", ["1", "2", "3"])
    (tmp_path / "mine.txt").write_text("3.jpg\n1\n")
    assert [image.image_id for image in read_voc(tmp_path / "voc", str(tmp_path / "mine.txt")).images] == [1, 3]


def test_the_real_voc_is_read(voc_root: Path):
    truth = read_voc(voc_root, "val")
    assert len(truth.images) == 100
    assert {item.category_id for image in truth.images for item in image.objects} <= set(VOC_CATEGORIES)
    instances = np.array(Image.open(voc_root / "SegmentationObject" / "000039.png"))
    image = next(image for image in truth.images if image.image_id == 39)
    assert len(image.rles) == len(set(np.unique(instances)) - {0, 255})


@pytest.mark.parametrize(
    "names, split, message",
    [
        (["1"], "test", "no image list .*test.txt: --split is .* one of val"),
        (["1", "1"], "val", "twice"),
    ],
)
def test_voc_lists_are_checked(tmp_path: Path, names, split, message):
    write_voc(tmp_path, names)
    with pytest.raises(UserError, match=message):
        read_voc(tmp_path, split)


def test_voc_images_must_be_there(tmp_path: Path):
    write_voc(tmp_path, ["1", "2"])
    (tmp_path / "SegmentationObject" / "2.png").unlink()
    with pytest.raises(UserError, match=r"1 of 2 images of .*val.txt are not in .*SegmentationObject \(2\)"):
        read_voc(tmp_path, "val")
    (tmp_path / "SegmentationObject" / "2.png").write_text("no picture")
    with pytest.raises(UserError, match=r"cannot read .*2\.png"):
        read_voc(tmp_path, "val")
    Image.new("RGB", SIZE_HW[::-1]).save(tmp_path / "SegmentationObject" / "2.png")
    with pytest.raises(UserError, match=r"cannot read .*2\.png: labels have one channel, not RGB"):
        read_voc(tmp_path, "val")
    Image.new("L", SIZE_HW).save(tmp_path / "SegmentationObject" / "2.png")
    with pytest.raises(UserError, match=r"SegmentationClass/2\.png is \(12, 16\) .*Object/2\.png \(16, 12\)"):
        read_voc(tmp_path, "val")
    with pytest.raises(UserError, match="neither a VOC folder"):
        read_voc(tmp_path / "SegmentationObject", "val")


@pytest.mark.parametrize("content", [b"MATLAB 5.0, cut off", b""])
def test_mat_files_must_be_whole(tmp_path: Path, content: bytes):
    write_sbd(tmp_path, ["1"])
    (tmp_path / "inst" / "1.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*1\.mat: .*; unpack its archive again\."):
        read_voc(tmp_path, "val")


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
    "no height": (with_image(height=None), "image 1 has no height: pipelines.prepare_data --format=coco"),
    "no width": (COMPLETE | {"images": [{"id": 1, "height": 3}]}, "image 1 has no width: pipelines.prepare_data"),
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


def images(count: int, pattern: str) -> Truth:
    return Truth("truth", [Example(str(i), pattern.format(i), SIZE_HW, ()) for i in range(count)], {})


@pytest.mark.parametrize(
    "name, evaluated, pattern",
    [
        ("coco_first5k", 5000, "COCO_val2014_{:012d}.jpg"),
        ("voc_sbd_val", 5732, "2008_{:06d}.jpg"),
        ("voc12_val", 1449, "2007_{:06d}.jpg"),
    ],
)
def test_protocols_take_their_list_and_refuse_other_ones(name: str, evaluated: int, pattern: str):
    available = PROTOCOLS[name].available
    whole = images(available, pattern)
    assert [image.image_id for image in apply_protocol(name, whole).images] == list(range(evaluated))
    with pytest.raises(UserError, match=f"--protocol={name} needs .*; truth has {available - 1}"):
        apply_protocol(name, images(available - 1, pattern))
    with pytest.raises(UserError, match=r"truth has images of other names \(COCO_train2014_000000000000.jpg"):
        apply_protocol(name, images(available, "COCO_train2014_{:012d}.jpg"))


def test_a_protocol_leaves_out_what_sbd_has_not(tmp_path: Path):
    """Of VOC2012's list for detection, with a second column for a class, SBD has masks of a part."""
    root = write_sbd(tmp_path / "SBD", ["2008_000002", "2008_000003"])
    (tmp_path / "val.txt").write_text("2008_000003 1\n2008_000001 -1\n2008_000002 -1\n")
    truth = read_voc(root, str(tmp_path / "val.txt"), takes_part_of_list=True)
    assert [image.image_id for image in truth.images] == ["2008_000002", "2008_000003"]
    with pytest.raises(UserError, match=r"1 of 3 images of .*val.txt are not in .*inst \(2008_000001\)"):
        read_voc(root, str(tmp_path / "val.txt"))
    with pytest.raises(UserError, match=r"needs --voc_root=SBD .* 5732 images; .*val.txt has 2"):
        read_truth(None, str(root), str(tmp_path / "val.txt"), "voc_sbd_val")

"""Truth from VOC and SBD: which objects count, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.label_images import VOC_CATEGORIES
from ifcn_tf.common.files import UserError
from ifcn_tf.config.evaluation import EvaluationConfig
from ifcn_tf.evaluation.evaluate import evaluate
from ifcn_tf.evaluation.voc import read_voc
from ifcn_tf.results.reader import Results

SIZE_HW = (12, 16)
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

"""What annotation tools and collections keep: LVIS, labelme, YOLO and index PNGs, and what is wrong with them."""

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.annotations.coco_writer import write_coco
from ifcn_tf.annotations.sources import SOURCES, open_source
from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import encode as encoded
from ifcn_tf.masks.rle import decode, encode
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import ImageProposals
from ifcn_tf.results.formats.registry import write_whole
from tests.support.polygons import blob, iou

HW = (40, 60)
#: 10 x 8 px from (12, 5), as (x, y) points.
SQUARE = [[12, 5], [22, 5], [22, 13], [12, 13]]


def photograph(path, hw=HW):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", hw[::-1], (90, 120, 30)).save(path)
    return path


def load(source):
    """Examples by name, and the kinds of what was left out."""
    loaded = [job() for job in source.jobs]
    assert len(loaded) == source.size
    problems = [problem for item in loaded for problem in item.problems]
    return {item.example.source_id: item.example for item in loaded if item.example}, problems


def masks_of(example):
    return decode(example.rles, example.size_hw)


def square(label="cup", points=SQUARE, **more):
    return {"label": label, "points": points, "shape_type": "polygon"} | more


def labelme(root, shapes, name="a", **more):
    photograph(root / "photos" / f"{name}.jpg")
    content = {"imagePath": f"photos\\{name}.jpg", "imageHeight": 40, "imageWidth": 60, "shapes": shapes} | more
    (root / f"{name}.json").write_text(json.dumps(content))
    return open_source("labelme", root, "train")


def yolo(root, lines, name="a"):
    photograph(root / "images" / "train" / f"{name}.jpg")
    (root / "labels" / "train").mkdir(parents=True, exist_ok=True)
    (root / "labels" / "train" / f"{name}.txt").write_text("\n".join(lines))
    return open_source("yolo", root, "train")


def index_png(root, values, name="a"):
    photograph(root / "images" / f"{name}.jpg")
    (root / "masks").mkdir(exist_ok=True)
    Image.fromarray(values).save(root / "masks" / f"{name}.png")
    return open_source("index_png", root, "train")


@pytest.mark.parametrize(("name", "place"), [("labelme", "out"), ("yolo", "out"), ("index_png", "masks")])
def test_what_convert_writes_can_be_trained_on(name, place, tmp_path):
    mask = blob(1)
    path = photograph(tmp_path / "images" / "cat.png", mask.shape)
    proposals = Proposals(mask.shape, np.ones(2, np.float32), [encode(mask), encode(~mask)])
    write_whole(name, [ImageProposals(path, proposals)], tmp_path / place, 0.0)
    root = tmp_path if name == "index_png" else tmp_path / "out"
    examples, problems = load(open_source(name, root, "train"))
    assert not problems
    assert [iou(*pair) >= 0.98 for pair in zip(masks_of(examples["cat"]), (mask, ~mask), strict=True)] == [True, True]
    assert examples["cat"].file_name == "cat.png"


def test_labelme_by_hand(tmp_path):
    inside = np.zeros((4, 6), np.uint8)
    inside[1:] = 255
    picture = io.BytesIO()
    Image.fromarray(inside).save(picture, "PNG")
    encoded = base64.b64encode(picture.getvalue()).decode()
    shapes = [
        square("cup"),
        square("dog", [[0, 0], [4, 0], [4, 4], [0, 4]], group_id=3),
        square("cup", [[30, 20], [40, 30]], shape_type="rectangle"),
        square("dog", [[50, 30], [55, 30], [55, 40], [50, 40]], group_id=3),
        square("ball", [[40, 10], [45, 10]], shape_type="circle"),
        square("ball", [[2, 30], [7, 33]], shape_type="mask", mask=encoded),
    ]
    source = labelme(tmp_path, shapes)
    assert source.categories == {1: "ball", 2: "cup", 3: "dog"}
    examples, problems = load(source)
    assert not problems
    assert [item.category_id for item in examples["a"].objects] == [2, 3, 2, 1, 1]
    first, grouped, rectangle, circle, drawn = masks_of(examples["a"])
    assert (first.sum(), first[5:13, 12:22].all()) == (80, True)
    assert (grouped.sum(), grouped[:4, :4].all(), grouped[30:, 50:55].all()) == (66, True, True)
    assert (rectangle.sum(), rectangle[20:30, 30:40].all()) == (100, True)
    assert circle.sum() == pytest.approx(np.pi * 25, rel=0.06)
    assert (drawn.sum(), drawn[31:34, 2:8].all()) == (18, True)


def test_yolo_by_hand(tmp_path):
    shares = " ".join(f"{x / 60} {y / 40}" for x, y in SQUARE)
    photograph(tmp_path / "images" / "train" / "background.png")
    examples, problems = load(yolo(tmp_path, [f"2 {shares}", ""]))
    assert not problems
    (mask,) = masks_of(examples["a"])
    assert (mask.sum(), mask[5:13, 12:22].all(), examples["a"].objects[0].category_id) == (80, True, 3)
    assert examples["background"].objects == ()


@pytest.mark.parametrize("names", ["[cup, dog]", "{0: cup, 1: dog}"])
def test_yolo_names_its_classes_beside_its_folders(names, tmp_path):
    (tmp_path / "data.yaml").write_text(f"names: {names}")
    assert yolo(tmp_path, []).categories == {1: "cup", 2: "dog"}
    (tmp_path / "data.yaml").write_text("train: images")
    with pytest.raises(UserError, match=r"data.yaml names no classes"):
        yolo(tmp_path, [])


def test_categories_without_names_are_named_by_their_numbers(tmp_path):
    values = np.zeros(HW, np.uint8)
    values[5:13, 12:22] = 7
    examples, _ = load(index_png(tmp_path, values))
    write_coco(examples.values(), {}, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["categories"] == [{"id": 0, "name": "category 0"}]


def test_index_pngs_by_hand(tmp_path):
    """255 is no object in 8 bits; numbers above it need 16."""
    values = np.zeros(HW, np.uint8)
    values[5:13, 12:22], values[20:22, 1:3], values[30:, :] = 7, 3, 255
    examples, problems = load(index_png(tmp_path, values))
    assert not problems
    assert [mask.sum() for mask in masks_of(examples["a"])] == [4, 80]
    examples, _ = load(index_png(tmp_path, values.astype(np.uint16) * 100))
    assert [mask.sum() for mask in masks_of(examples["a"])] == [4, 80, 600]


def test_lvis_names_photographs_by_their_address_and_is_partial(tmp_path):
    photograph(tmp_path / "train2017" / "000000391895.jpg")
    image = {"id": 391895, "height": 40, "width": 60, "not_exhaustive_category_ids": [3], "neg_category_ids": [4]}
    image["coco_url"] = "http://images.cocodataset.org/train2017/000000391895.jpg"
    points = [value for point in SQUARE for value in point]
    annotation = {"id": 1, "image_id": 391895, "category_id": 3, "segmentation": [points], "area": 80.0}
    categories = [{"id": 3, "name": "cup", "frequency": "f", "synset": "cup.n.01"}]
    content = {"images": [image], "annotations": [annotation], "categories": categories}
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "lvis_v1_train.json").write_text(json.dumps(content))
    source = open_source("lvis", tmp_path, "train")
    assert source.is_partial
    examples, problems = load(source)
    assert not problems
    assert examples["391895"].file_name == "train2017/000000391895.jpg"
    assert masks_of(examples["391895"])[0].sum() == 80
    assert not open_source("coco", tmp_path, "", annotations=tmp_path / "annotations" / "lvis_v1_train.json").is_partial


PICTURE = base64.b64encode(encoded(Image.new("L", (4, 4), 255), "PNG")).decode()
FAR = [[12, 5], [22, 5], [99, 13]]
LABELME_FAULTS = {
    "a line": (square(shape_type="line"), "malformed mask", "a shape of type line has no area"),
    "two points": (square(points=[[1, 2], [3, 4]]), "malformed mask", "neither run lengths nor polygons"),
    "no points": ({"label": "cup"}, "malformed mask", "cannot be read"),
    "text": (square(points=[["a", "b"]] * 3), "malformed mask", "cannot be read"),
    "outside": (square(points=FAR), "polygon outside the image", "more than 1 px outside"),
    "a mask without a place": (square(shape_type="mask", mask=PICTURE, points=[]), "malformed mask", "cannot be read"),
    "nowhere": (square(shape_type="mask", mask=PICTURE, points=[[math.inf, 0]]), "malformed mask", "cannot be read"),
    "no picture": (square(shape_type="mask", mask="????"), "malformed mask", "cannot be read"),
}


@pytest.mark.parametrize("fault", LABELME_FAULTS)
def test_shapes_of_labelme_that_are_left_out(fault, tmp_path):
    shape, kind, sentence = LABELME_FAULTS[fault]
    examples, (problem,) = load(labelme(tmp_path, [square(), shape]))
    assert (len(examples["a"].objects), problem.kind) == (1, kind)
    assert sentence in problem.where
    assert "a.json: shape 1: " in problem.where


def test_classes_of_yolo_that_have_no_name_are_left_out(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [cup, dog]")
    shares = ".1 .1 .5 .1 .5 .5"
    examples, (problem,) = load(yolo(tmp_path, [f"1 {shares}", f"2 {shares}"]))
    assert [instance.category_id for instance in examples["a"].objects] == [2]
    assert problem.kind == "unknown category"
    assert problem.where.endswith("a.txt: line 2: class 2, of which data.yaml has no name")


def test_a_name_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "images" / "train" / "caf\udce9.jpg").touch()
    with pytest.raises(UserError, match=r"caf.*is not UTF-8: rename the file"):
        open_source("yolo", tmp_path, "train")


@pytest.mark.parametrize(
    "line",
    [f"{10**20} .1 .1 .5 .1 .5 .5", "0 .1 .1 .5 .5", "0 .1 .1 .5 .5 .4", "cup .1 .1 .5 .5 .1 .5", "0 a b c d e f", "0"],
)
def test_lines_of_yolo_that_are_left_out(line, tmp_path):
    examples, (problem,) = load(yolo(tmp_path, ["0 .1 .1 .5 .1 .5 .5", line]))
    assert (len(examples["a"].objects), problem.kind) == (1, "malformed mask")
    assert "a.txt: line 2: a class and three or more pairs of numbers are needed" in problem.where


def test_photographs_that_are_left_out(tmp_path):
    for name in ("gone", "words"):
        labelme(tmp_path, [square()], name)
    labelme(tmp_path, [], "size", imageHeight=7)
    (tmp_path / "photos" / "gone.jpg").unlink()
    (tmp_path / "words.json").write_text("[1, 2")
    (tmp_path / "other.json").write_text("{}")
    examples, problems = load(open_source("labelme", tmp_path, ""))
    assert not examples
    kinds = ["missing image", "malformed entry", "mask of another size", "malformed entry"]
    assert [problem.kind for problem in problems] == kinds
    index_png(tmp_path, np.zeros((7, 8), np.uint8), "small")
    index_png(tmp_path, np.zeros((*HW, 3), np.uint8), "colour")
    index_png(tmp_path, np.zeros(HW, np.uint8), "gone")
    (tmp_path / "images" / "gone.jpg").unlink()
    examples, problems = load(open_source("index_png", tmp_path, ""))
    assert [problem.kind for problem in problems] == ["malformed mask", "missing image", "mask of another size"]


def test_folders_that_are_no_source_are_refused(tmp_path):
    photograph(tmp_path / "images" / "a.jpg")
    photograph(tmp_path / "elsewhere" / "a.jpg")
    for name, options, sentence in (
        ("labelme", {}, "no JSON files of labelme"),
        ("labelme", {"images": tmp_path / "images"}, "--source=labelme takes no --images"),
        ("index_png", {}, "no PNG in .*masks"),
        ("index_png", {"images": tmp_path / "none"}, "cannot read the folder of photographs .*none: No such"),
        ("yolo", {"images": tmp_path / "elsewhere"}, "is in no folder named images"),
        ("yolo", {"images": tmp_path / "images"}, "no folder .*labels, where YOLO keeps"),
    ):
        with pytest.raises(UserError, match=sentence):
            open_source(name, tmp_path, "train", **options)
    photograph(tmp_path / "images" / "a.png")
    with pytest.raises(UserError, match="more than one photograph named a"):
        open_source("yolo", tmp_path, "", images=tmp_path / "images")


def test_a_name_that_is_no_source(tmp_path):
    with pytest.raises(ValueError, match="no source 'pascal'"):
        open_source("pascal", tmp_path, "")
    assert len(set(SOURCES)) == 7

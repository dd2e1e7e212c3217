"""Defects of COCO files: what is left out, what is refused, and that the rest is kept."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.annotations.coco import coco_source
from ifcn_tf.common.files import UserError
from ifcn_tf.data.prepare import prepare, records_writer, refuse
from ifcn_tf.evaluation.truth import read_coco
from ifcn_tf.images.files import read_pixels
from ifcn_tf.images.tensors import decode
from ifcn_tf.masks.rle import encode
from tests.annotations.test_sources import HW, INSTANCES, coco, jpeg, load, rle

MALFORMED = "malformed annotation"


@pytest.mark.parametrize(
    ("segmentation", "kind"),
    [
        ([[10, 5, 30, 5, 65, 20]], "polygon outside the image"),
        ([[-3, 5, 30, 5, 30, 20]], "polygon outside the image"),
        (rle(np.ones((41, 60), bool), "list"), "mask of another size"),
        ({"size": list(HW), "counts": [5, 6]}, "mask of another size"),
        ({"size": list(HW), "counts": [40 * 60 - 10.5, 10.5]}, "mask of another size"),
        ({"size": list(HW), "counts": [40 * 60 + 50, -100, 50]}, "mask of another size"),
        ({"size": list(HW), "counts": "0a0"}, "mask of another size"),
        ({"size": list(HW), "counts": ""}, "mask of another size"),
        ({"size": list(HW), "counts": "é"}, "malformed mask"),
        ({"size": list(HW), "counts": 7}, "malformed mask"),
        ({"size": None, "counts": [5, 6]}, "malformed mask"),
        ([], "empty or one-pixel mask"),
        (None, "empty or one-pixel mask"),
        (rle(np.zeros(HW, bool), "compressed"), "empty or one-pixel mask"),
        (rle(np.arange(40 * 60).reshape(HW) == 100, "compressed"), "empty or one-pixel mask"),
        ([[1, 2, 3, 4]], "malformed mask"),
        ([[1, 2, 3, 4, 5, 6, 7]], "malformed mask"),
        ({"size": list(HW)}, "malformed mask"),
        ([["a", 2, 3, 4, 5, 6]], "malformed mask"),
    ],
)
def test_bad_masks_are_left_out_and_the_rest_kept(tmp_path, segmentation, kind):
    (example,), problems = load(coco(tmp_path, [(3, segmentation), (12, rle(INSTANCES == 2, "list"))]))
    assert problems == [kind]
    assert [o.category_id for o in example.objects] == [12]


def test_an_overhang_of_a_pixel_is_rounding(tmp_path):
    _, problems = load(coco(tmp_path, [(3, [[-0.5, -1, 61, 5, 30, 41]])]))
    assert problems == []


def test_bad_entries_of_a_coco_file(tmp_path):
    mask = rle(INSTANCES == 1, "list")
    entry = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": mask}
    image = {"id": 7, "file_name": "2008_000001.jpg"}
    for name, more, kinds in (
        ("category", {"annotations": [entry | {"category_id": 5}]}, ["unknown category"]),
        ("annotation id", {"annotations": [entry, entry]}, ["duplicate id"]),
        ("image id", {"images": [image, image]}, ["duplicate id"]),
        ("no image", {"annotations": [entry | {"image_id": 8}]}, ["unknown image"]),
        ("missing", {"images": [image, {"id": 8, "file_name": "absent.jpg"}]}, ["missing image"]),
        ("size", {"images": [image | {"height": 41, "width": 60}]}, ["mask of another size"]),
        ("category of a fraction", {"annotations": [entry | {"category_id": 3.5}]}, [MALFORMED]),
        ("category of a float", {"annotations": [entry | {"category_id": 3.0}]}, []),
        ("no list", {"annotations": {"id": 1}}, ["malformed entry"]),
        ("null for a list", {"annotations": None}, []),
        ("no category", {"categories": [], "annotations": [entry | {"category_id": 99}]}, []),
        ("area null", {"annotations": [entry | {"area": None}]}, []),
        ("no category of it", {"annotations": [{k: v for k, v in entry.items() if k != "category_id"}]}, [MALFORMED]),
        ("crowd text", {"annotations": [entry | {"iscrowd": "0"}]}, [MALFORMED]),
        ("area text", {"annotations": [entry | {"area": "x"}]}, [MALFORMED]),
        ("category list", {"annotations": [entry | {"category_id": [1]}]}, [MALFORMED]),
        ("annotation id list", {"annotations": [entry | {"id": [1]}]}, []),
        ("annotation null", {"annotations": [None, entry]}, ["malformed entry"]),
        ("no image id", {"annotations": [{"id": 1}, entry]}, ["malformed entry"]),
        ("image id null", {"images": [image | {"id": None}, image]}, ["malformed entry"]),
        ("image id list", {"images": [image | {"id": [1]}, image]}, ["malformed entry"]),
        ("image null", {"images": [image, None]}, ["malformed entry"]),
        ("lost", {"images": [image | {"id": None}], "annotations": [entry]}, ["malformed entry", "unknown image"]),
        ("category text", {"categories": [{"id": "x", "name": "bird"}]}, ["malformed entry"]),
        ("category null", {"categories": [None]}, ["malformed entry"]),
        ("name null", {"images": [image, {"id": 8, "file_name": None}]}, ["malformed entry"]),
        ("no name", {"images": [image, {"id": 8}]}, ["malformed entry"]),
        ("name above", {"images": [image, {"id": 8, "file_name": "../x.jpg"}]}, ["malformed entry"]),
        ("name absolute", {"images": [image, {"id": 8, "file_name": "/x.jpg"}]}, ["malformed entry"]),
        ("name of no file", {"images": [image, {"id": 8, "file_name": "\0"}]}, ["missing image"]),
        (
            "text for id",
            {"images": [image | {"id": "007"}], "annotations": [entry, entry | {"id": 2, "image_id": "7"}]},
            [],
        ),
        ("image id as text", {"images": [image, image | {"id": "7"}]}, ["duplicate id"]),
        ("size null", {"images": [image | {"height": None, "width": None}]}, []),
    ):
        assert sorted(load(coco(tmp_path / name, [], **more))[1]) == kinds


@pytest.mark.parametrize(("area", "expected"), [(0, 0), (30.5, 30.5), (-1, 300), (math.nan, 300), (1e11, 300)])
def test_an_area_that_is_none_is_the_masks_own(tmp_path, area, expected):
    """As in the truth of an evaluation, also where Python alone would write such a number."""
    entry = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": rle(INSTANCES == 1, "list"), "area": area}
    (example,), problems = load(coco(tmp_path, [], annotations=[entry]))
    assert ([item.area for item in example.objects], problems) == ([expected], [])


def test_data_and_truth_hold_the_same_objects(tmp_path):
    """In the order of their ids, wherever they stand in the file; only the stated box is the truth's alone."""
    masks = [(3, rle(INSTANCES == 1, "list")), (12, [[32, 5, 50, 5, 50, 25, 32, 25]]), (3, rle(INSTANCES > 0, "x"))]
    entries = [
        {"id": number, "image_id": "007", "category_id": category, "segmentation": mask, "iscrowd": crowd}
        for number, (category, mask), crowd in zip((10, 9, "a"), masks, (0, 1, None), strict=True)
    ]
    image = {"id": 7, "file_name": "2008_000001.jpg", "height": HW[0], "width": HW[1]}
    for name, ordered in (("a", entries), ("b", entries[::-1])):
        source = coco(tmp_path / name, [], images=[image], annotations=ordered)
        (example,), problems = load(source)
        (of_truth,) = read_coco(tmp_path / name / "file.json").images
        assert (dataclasses.replace(example, encoded=b""), problems) == (of_truth, [])
        assert example.rles == [encode(mask) for mask in (INSTANCES == 2, INSTANCES == 1, INSTANCES > 0)]
        assert example.crowd.tolist() == [True, False, False]


def test_a_list_of_names_takes_these_images_alone(tmp_path):
    names = ("a", "b", "c")
    images = [{"id": number, "file_name": f"{name}.jpg"} for number, name in enumerate(names)]
    objects = [
        {"id": number, "image_id": number % 3, "category_id": 3, "segmentation": rle(INSTANCES == 1, "list")}
        for number in range(5)
    ]
    whole = coco(tmp_path, [], images=images, annotations=objects)
    assert whole.size == 3
    for name in names:
        jpeg(tmp_path / "images" / f"{name}.jpg")
    (tmp_path / "list.txt").write_text("c.jpg\na x\n\nc\nabsent.png\n")
    examples, problems = load(coco_source(tmp_path / "file.json", tmp_path / "images", tmp_path / "list.txt"))
    assert [(example.file_name, len(example.objects)) for example in examples] == [("a.jpg", 2), ("c.jpg", 1)]
    assert sorted(problems) == ["duplicate id", "missing image"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [', "is cut off or not valid JSON"),
        ("", "is cut off or not valid JSON"),
        ("[]", "is no COCO json: it has to be an object"),
    ],
)
def test_unusable_coco_files_are_named(tmp_path, content, message):
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(UserError, match=f"{path}.*{message}"):
        coco_source(path, tmp_path)
    with pytest.raises(UserError, match=r"cannot read .*absent.json"):
        coco_source(tmp_path / "absent.json", tmp_path)


def test_the_rest_of_a_broken_coco_file_is_kept(tmp_path):
    """One broken entry of each kind costs nothing but itself, and strictness names it."""
    entry = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": rle(INSTANCES == 1, "list")}
    image = {"id": 7, "file_name": "2008_000001.jpg"}
    source = coco(tmp_path, [], images=[{"id": 8}, image], annotations=[entry, {"id": 2}, entry | {"id": 3}])
    (example,), problems = load(source)
    assert (example.source_id, len(example.objects), problems) == ("7", 2, ["malformed entry"] * 2)
    with pytest.raises(UserError, match=r"malformed entry: .*file.json: annotations\[1\] is \{'id': 2\}"):
        prepare(source, records_writer(source, tmp_path / "strict", 1), 1, refuse)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_annotations_are_of_the_upright_photograph(tmp_path, orientation):
    """As everywhere else; a record holds the pixels that `images.files` reads, up to the loss of a second JPEG."""
    path = tmp_path / "images" / "2008_000001.jpg"
    source = coco(tmp_path, [(3, rle(INSTANCES == 1, "list"))])
    stored = Image.fromarray(np.linspace(0, 255, 40 * 60 * 3).astype(np.uint8).reshape(40, 60, 3))
    exif = stored.getexif()
    exif[0x0112] = orientation
    stored = stored.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else stored
    stored.save(path, exif=exif, quality=95)
    (example,), problems = load(source)
    assert (example.size_hw, problems) == (HW, [])
    read = read_pixels(path)
    in_record = np.asarray(Image.open(io.BytesIO(example.encoded)))
    assert (
        np.abs(in_record.astype(int) - read).mean() < 2 < np.abs(np.flip(in_record, (0, 1)).astype(int) - read).mean()
    )
    assert (example.encoded == path.read_bytes()) == (orientation == 1)


def test_sizes_of_the_stored_pixels_are_told_apart(tmp_path):
    image = {"id": 7, "file_name": "2008_000001.jpg", "height": HW[1], "width": HW[0]}
    (turned,) = [job() for job in coco(tmp_path, [], images=[image]).jobs]
    assert turned.example is None and "of the upright image" in turned.problems[0].where


@pytest.mark.parametrize(
    ("name", "options", "begins", "most"),
    [
        ("a.tif", {}, b"\x89PNG", 0),
        ("a.gif", {}, b"\x89PNG", 0),
        ("a.bmp", {}, b"\x89PNG", 0),
        ("lossless.webp", {"lossless": True}, b"\x89PNG", 0),
        ("lossy.webp", {}, b"\xff\xd8\xff", 2),
    ],
)
def test_what_the_training_graph_cannot_decode_is_encoded_anew(tmp_path, name, options, begins, most):
    """Exactly, or as a JPEG where the photograph has lost more before."""
    source, path = coco(tmp_path, [], images=[{"id": 1, "file_name": name}]), tmp_path / "images" / name
    picture = Image.fromarray(np.linspace(0, 255, 40 * 60 * 3).astype(np.uint8).reshape(40, 60, 3))
    (picture.convert("P") if name == "a.bmp" else picture).save(path, **options)
    (example,), problems = load(source)
    assert (example.file_name, example.size_hw, problems) == (name, HW, [])
    assert example.encoded.startswith(begins)
    assert abs(decode(example.encoded).numpy().astype(int) - read_pixels(path)).mean() <= most

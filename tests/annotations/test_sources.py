"""Sources: every form of annotation gives the same record, and what is wrong is reported by kind."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle

import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools.coco import COCO

from ifcn_tf.annotations.coco import coco_source
from ifcn_tf.annotations.coco_writer import write_coco
from ifcn_tf.annotations.sbd import sbd_source
from ifcn_tf.annotations.shapes import draw_scene, shapes_source
from ifcn_tf.annotations.voc import voc_source
from ifcn_tf.common.files import UserError
from ifcn_tf.data.prepare import of_categories, prepare, records_writer, refuse, tolerate
from ifcn_tf.masks.rle import encode, run_lengths

HW = (40, 60)
#: Values of a VOC pair of label images: object 1 is a bird (3), object 2 a dog (12), void between them.
INSTANCES = np.zeros(HW, np.uint8)
INSTANCES[5:20, 10:30] = 1
INSTANCES[5:20, 30:32] = 255
INSTANCES[5:25, 32:50] = 2
CLASSES = np.choose(np.searchsorted([0, 1, 2, 255], INSTANCES), [0, 3, 12, 255]).astype(np.uint8)


def jpeg(path, hw=HW):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", hw[::-1], (90, 120, 30)).save(path)


def palette_png(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels, "P")
    image.putpalette([255 - i // 3 for i in range(768)])  # colours say nothing about the labels
    image.save(path)


def voc(root, instances=INSTANCES, classes=CLASSES, names=("2008_000001",)):
    for name in names:
        jpeg(root / "JPEGImages" / f"{name}.jpg")
        palette_png(root / "SegmentationObject" / f"{name}.png", instances)
        palette_png(root / "SegmentationClass" / f"{name}.png", classes)
    (root / "list.txt").write_text("\n".join(names) + "\n")
    return voc_source(root, root / "list.txt")


def sbd(root, categories=(3, 12)):
    jpeg(root / "img" / "2008_000001.jpg")
    (root / "inst").mkdir()
    fields = {"Segmentation": INSTANCES * (INSTANCES != 255), "Categories": np.array(categories)[:, None]}
    scipy.io.savemat(root / "inst" / "2008_000001.mat", {"GTinst": fields})
    (root / "train.txt").write_text("2008_000001\n")
    return sbd_source(root, root / "train.txt")


def coco(root, segmentations, **more):
    """A COCO json of one image; `more` replaces or adds entries of the file."""
    jpeg(root / "images" / "2008_000001.jpg")
    annotations = [
        {"id": i + 1, "image_id": 7, "category_id": c, "segmentation": s} for i, (c, s) in enumerate(segmentations)
    ]
    content = {"images": [{"id": 7, "file_name": "2008_000001.jpg"}], "annotations": annotations}
    content |= {"categories": [{"id": 3, "name": "bird"}, {"id": 12, "name": "dog"}]}
    (root / "file.json").write_text(json.dumps(content | more))
    return coco_source(root / "file.json", root / "images")


def rle(mask, form):
    if form == "list":
        return {"size": list(mask.shape), "counts": run_lengths([encode(mask)])[0].tolist()}
    return dict(encode(mask))


def load(source):
    """All examples, and the kinds of all problems."""
    results = [job() for job in source.jobs]
    assert len(results) == source.size
    return [r.example for r in results if r.example], [p.kind for r in results for p in r.problems]


def test_voc_sbd_and_coco_give_the_same_record(tmp_path):
    masks = [INSTANCES == 1, INSTANCES == 2]
    polygons = [[[10, 5, 30, 5, 30, 20, 10, 20]], [[32, 5, 50, 5, 50, 25, 32, 25]]]
    sources = [
        voc(tmp_path / "voc"),
        sbd(tmp_path / "sbd"),
        coco(tmp_path / "list", zip((3, 12), (rle(mask, "list") for mask in masks), strict=True)),
        coco(tmp_path / "compressed", zip((3, 12), (rle(mask, "compressed") for mask in masks), strict=True)),
        coco(tmp_path / "polygons", zip((3, 12), polygons, strict=True)),
    ]
    loaded = [load(source) for source in sources]
    assert all(problems == [] for _, problems in loaded)
    first = loaded[0][0][0]
    assert [(o.category_id, o.is_crowd, o.area) for o in first.objects] == [(3, False, 300.0), (12, False, 360.0)]
    assert [o.box_xywh for o in first.objects] == [(10, 5, 20, 15), (32, 5, 18, 20)]
    for examples, _ in loaded:
        assert examples[0].objects == first.objects
        assert (examples[0].size_hw, examples[0].file_name) == (HW, "2008_000001.jpg")


def test_polygons_rasterise_as_pycocotools_does(tmp_path):
    rng = np.random.default_rng(0)
    polygons = [[rng.uniform(0, 60, (n, 2)).clip(0, HW[::-1]).ravel().tolist() for n in (3, 7)] for _ in range(20)]
    examples, _ = load(coco(tmp_path, [(3, polygon) for polygon in polygons]))
    image = {"id": 7, "height": HW[0], "width": HW[1]}
    truth = COCO()
    truth.imgs = {7: image}
    for instance, polygon in zip(examples[0].objects, polygons, strict=True):
        assert instance.rle == encode(truth.annToMask({"image_id": 7, "segmentation": polygon}))


def test_crowds_and_stated_areas(tmp_path):
    annotation = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": rle(INSTANCES == 1, "list")}
    source = coco(tmp_path, [], annotations=[annotation | {"iscrowd": 1, "area": 299.5}])
    (example,), problems = load(source)
    assert (example.objects[0].is_crowd, example.objects[0].area, problems) == (True, 299.5, [])


def test_images_without_annotations_are_kept(tmp_path):
    (example,), problems = load(coco(tmp_path, []))
    assert (example.objects, problems) == ((), [])


def test_broken_photographs_are_left_out(tmp_path):
    source = voc(tmp_path, names=("a", "b", "c", "d"))
    whole = (tmp_path / "JPEGImages" / "a.jpg").read_bytes()
    (tmp_path / "JPEGImages" / "b.jpg").write_bytes(whole[:300])
    (tmp_path / "JPEGImages" / "c.jpg").write_bytes(b"no image")
    (tmp_path / "JPEGImages" / "d.jpg").unlink()
    examples, problems = load(source)
    assert [e.source_id for e in examples] == ["a"]
    assert problems == ["unreadable image", "unreadable image", "missing image"]


def test_bad_label_images(tmp_path):
    one_pixel = INSTANCES.copy()
    one_pixel[0, 0] = 9
    for name, source, kinds in (
        ("size", lambda root: voc(root, instances=INSTANCES[:30]), ["mask of another size"]),
        ("class", lambda root: voc(root, classes=CLASSES % 3), ["unknown category"] * 2),
        ("pixel", lambda root: voc(root, one_pixel, CLASSES + 1), ["empty or one-pixel mask"]),
        ("twice", lambda root: voc(root, names=("a", "a", "b")), ["duplicate id"]),
    ):
        assert load(source(tmp_path / name))[1] == kinds
    source = voc(tmp_path / "missing")
    (tmp_path / "missing" / "SegmentationObject" / "2008_000001.png").unlink()
    assert load(source)[1] == ["missing mask"]
    Image.new("RGB", HW[::-1]).save(tmp_path / "missing" / "SegmentationObject" / "2008_000001.png")
    assert load(source)[1] == ["malformed mask"]
    with pytest.raises(UserError, match=r"cannot read .*absent.txt"):
        voc_source(tmp_path, tmp_path / "absent.txt")


def test_bad_mat_files(tmp_path):
    source = sbd(tmp_path)
    (tmp_path / "inst" / "2008_000001.mat").write_bytes(b"MATLAB 5.0, cut off")
    assert load(source)[1] == ["malformed mask"]
    (tmp_path / "inst" / "2008_000001.mat").unlink()
    assert load(source)[1] == ["missing mask"]


def test_an_object_of_sbd_without_pixels_is_none_and_reported(tmp_path):
    """`Categories` names three objects, `Segmentation` shows two of them."""
    (example,), _ = load(sbd(tmp_path / "two"))
    source = sbd(tmp_path / "three", categories=(3, 12, 7))
    ((more,), problems) = load(source)
    assert (more.objects, problems) == (example.objects, ["empty or one-pixel mask"])
    report = prepare(source, records_writer(source, tmp_path / "out", 1), 1, tolerate)
    (where,) = report.problems["empty or one-pixel mask"]["examples"]
    assert (report.objects, where.rpartition("/")[2]) == (2, "2008_000001.jpg: object 3: 0 px")


@pytest.mark.parametrize("make", [voc, sbd])
def test_names_may_have_the_ending_of_an_image(tmp_path, make):
    """Twice the same name, with and without: the image is taken once."""
    source = make(tmp_path)
    names = tmp_path / "mine.txt"
    names.write_text("2008_000001.jpg 1\n2008_000001.JPEG\n")
    opened = {voc: voc_source, sbd: sbd_source}[make](tmp_path, names)
    examples, problems = load(opened)
    assert (examples, problems) == (load(source)[0], ["duplicate id"])


def test_strict_refuses_and_tolerant_counts(tmp_path):
    source = coco(tmp_path, [(3, []), (12, rle(INSTANCES == 2, "list"))])
    with pytest.raises(UserError, match=r"empty or one-pixel mask: 2008_000001.jpg: annotation 1"):
        prepare(source, records_writer(source, tmp_path / "strict", 1), 1, refuse)
    assert not (tmp_path / "strict").exists()
    report = prepare(source, records_writer(source, tmp_path / "tolerant", 1), 1, tolerate)
    assert (report.images, report.objects, report.problems["empty or one-pixel mask"]["count"]) == (1, 1, 1)
    written = json.loads((tmp_path / "tolerant" / "dataset.json").read_text())
    assert written["report"]["problems"]["empty or one-pixel mask"]["examples"][0].startswith("2008_000001.jpg")
    assert written["categories"] == {"3": "bird", "12": "dog"}


def test_strictness_is_one_sentence_where_the_problem_is_one_already(tmp_path):
    source = coco(tmp_path, [])
    path = tmp_path / "images" / "2008_000001.jpg"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=rf"unreadable image: {path} [^.]*; mend it, or leave it out"):
        prepare(source, records_writer(source, tmp_path / "strict", 1), 1, refuse)


def test_a_source_that_is_partial_is_prepared_as_such(tmp_path):
    source = dataclasses.replace(coco(tmp_path, [(3, rle(INSTANCES == 2, "list"))]), is_partial=True)
    prepare(source, records_writer(source, tmp_path / "out", 1), 1, tolerate)
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["partial"] is True


def test_nothing_left_is_an_error(tmp_path):
    source = voc(tmp_path)
    (tmp_path / "JPEGImages" / "2008_000001.jpg").unlink()
    with pytest.raises(UserError, match="no image could be used: 1 x missing image"):
        prepare(source, records_writer(source, tmp_path / "output", 1), 1, tolerate)
    assert not (tmp_path / "output").exists()


def test_conversion_to_coco_and_back(tmp_path):
    """VOC -> COCO json -> record gives the objects of VOC, and pycocotools reads the file."""
    source = voc(tmp_path / "voc", names=("2008_000001", "000032"))
    examples, _ = load(source)
    write_coco(examples, source.categories, tmp_path / "voc.json")
    again, problems = load(coco_source(tmp_path / "voc.json", tmp_path / "voc" / "JPEGImages"))
    assert problems == []
    assert [e.objects for e in again] == [e.objects for e in examples]
    truth = COCO(tmp_path / "voc.json")
    assert set(truth.imgs) == {"2008_000001", 32}
    assert sorted(truth.anns) == [1, 2, 3, 4]
    assert truth.anns[1]["bbox"] == [10, 5, 20, 15]
    np.testing.assert_array_equal(truth.annToMask(truth.anns[1]), INSTANCES == 1)


def test_ids_are_numbers_where_ids_py_says_so(tmp_path):
    (example,), _ = load(voc(tmp_path))
    texts = ["007", "\u0667", "2008_000001"]  # an Arabic 7 is a text
    write_coco([dataclasses.replace(example, source_id=text) for text in texts], {3: "bird"}, tmp_path / "file.json")
    written = json.loads((tmp_path / "file.json").read_text())
    assert [image["id"] for image in written["images"]] == [7, *texts[1:]]
    assert {entry["image_id"] for entry in written["annotations"]} == {7, *texts[1:]}


def test_shapes_are_the_same_for_the_same_seed():
    first, again, other = (load(shapes_source(2, seed))[0] for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0] and first[0].encoded != first[1].encoded


def test_shapes_match_their_masks():
    """Objects are disjoint where they are visible, and differ from the ground in colour."""
    image, labels, categories = draw_scene(np.random.default_rng(4))
    (example,), _ = load(shapes_source(1, 4))
    assert image.shape == (*labels.shape, 3) and image.dtype == np.uint8
    assert labels.max() <= len(categories) <= 12
    assert np.asarray(Image.open(io.BytesIO(example.encoded))).shape[:2] == example.size_hw
    total = sum(o.area for o in example.objects)
    assert 0 < total <= example.size_hw[0] * example.size_hw[1]


def test_real_voc(voc_root):
    examples, problems = load(voc_source(voc_root, voc_root / "ImageSets" / "Segmentation" / "val.txt"))
    assert (len(examples), sum(len(e.objects) for e in examples), problems) == (100, 286, [])


def test_objects_of_named_categories_are_kept():
    """Of generated scenes the stars and boxes; photographs without any stay, and show background."""
    every, source = shapes_source(4, seed=3), of_categories(shapes_source(4, seed=3), ["star", "box"])
    assert source.categories == {2: "box", 4: "star"}
    jobs = zip(every.jobs, pickle.loads(pickle.dumps(list(source.jobs))), strict=True)
    loaded = [(before(), after()) for before, after in jobs]
    assert len(loaded) == source.size == 4
    for before, after in loaded:
        assert after.example.objects == tuple(o for o in before.example.objects if o.category_id in (2, 4))
    kept = [len(after.example.objects) for _, after in loaded]
    assert 0 < sum(kept) < sum(len(before.example.objects) for before, _ in loaded)
    with pytest.raises(UserError, match=r"categories 'stra' is not known: the nearest is star\."):
        of_categories(every, ["box", "stra"])
    with pytest.raises(UserError, match="the annotations name no categories"):
        of_categories(dataclasses.replace(every, categories={}), ["box"])
    assert of_categories(dataclasses.replace(every, is_partial=True), ["box"]).is_partial

"""Files of other programs, made here as each of them describes its own."""

import io
import json
import pickle
import struct
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.baselines.importers import IMPORTERS, import_results
from ifcn_tf.baselines.mat_files import read_mcg, read_selective_search
from ifcn_tf.baselines.mnc import read_mnc
from ifcn_tf.common.files import UserError
from ifcn_tf.results.reader import read_results
from tests.support.evaluation_data import rectangle, rle, write

SIZE = (6, 8)
#: Four superpixels: columns 0-1, 2-4, 5 and 6-7.
SUPERPIXELS = np.repeat([[1, 1, 2, 2, 2, 3, 4, 4]], 6, 0)
#: What each file holds of image 139, best first: the columns 0-4, then column 5.
MASKS = [rectangle(SIZE, 0, 0, 6, 5), rectangle(SIZE, 0, 5, 6, 6)]


def cell(*entries):
    """A MATLAB cell {n, 1}."""
    array = np.empty((len(entries), 1), object)
    array[:, 0] = entries
    return array


def mcg(folder):
    labels = cell(np.array([[1, 2]], np.uint16), np.array([[3]], np.uint16))
    content = {"superpixels": SUPERPIXELS.astype(np.uint16), "labels": labels, "scores": np.array([[3.5], [-1.0]])}
    return mat(folder, content | {"bboxes": np.ones((2, 4))})


def gop(folder):
    props = np.array([[1, 1, 0, 0], [0, 0, 1, 0]], bool)
    return mat(folder, {"props": props, "superpixels": (SUPERPIXELS - 1).astype(np.int32)})


def rigor(folder):
    return mat(folder, {"masks": np.stack(MASKS, 2), "seg_obj": np.zeros((1, 1))})


def selective_search(folder):
    boxes = np.array([[1, 1, 6, 5], [1, 6, 6, 6]], float)  # top, left, bottom, right
    return mat(folder, {"boxes": boxes})


def mat(folder, content):
    scipy.io.savemat(folder / "000000000139.mat", content)
    return folder / "000000000139.mat"


def deepmask(folder):
    found = [
        {"category_id": 1, "image_id": 139, "score": score, "segmentation": rle(mask)}
        for mask, score in zip(reversed(MASKS), (0.25, 0.75), strict=True)
    ]
    return write(folder / "props-1-500.json", found)


def sam(folder):
    found = [
        {
            "segmentation": rle(mask),
            "area": int(mask.sum()),
            "bbox": [0, 0, 1, 1],
            "predicted_iou": iou,
            "point_coords": [[0.5, 0.5]],
            "stability_score": stability,
            "crop_box": [0, 0, 8, 6],
        }
        for mask, iou, stability in zip(reversed(MASKS), (1.01, 0.9), (0.5, 0.97), strict=True)
    ]
    return write(folder / "000000000139.json", found)


def mnc(folder):
    """Two classes and two images, of which the first has no result; within its box each mask is whole."""
    boxes = [np.zeros((0, 5), np.float32), np.zeros((0, 5), np.float32)]
    found = [np.array([[5, 0, 5.2, 5, 0.3]], np.float32), np.array([[0, 0, 4, 5, 0.8]], np.float32)]
    ones = np.full((1, 1, 21, 21), 0.9, np.float32)
    save(folder / "res_boxes.pkl", [[[], []], [boxes[0], found[0]], [boxes[1], found[1]]])
    save(folder / "res_masks.pkl", [[[], []], [[], ones], [[], ones]])
    for stem in ("7", "139"):
        Image.new("RGB", SIZE[::-1]).save(folder / f"{stem}.png")
    (folder / "val.txt").write_text("7\n139\n")
    return folder / "res_boxes.pkl"


class Python2Pickler(pickle._Pickler):
    """Writes bytes as the strings that they were."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_string(self, content):
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    dispatch[bytes] = save_string


def save(path, content):
    """As Python 2 and the NumPy of then wrote it: protocol 2, and the former name of a module."""
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(content)
    path.write_bytes(file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))


WRITERS = {writer.__name__: writer for writer in (mcg, gop, rigor, selective_search, deepmask, mnc, sam)}


def options(program, folder):
    return {"names": folder / "val.txt", "images": sorted(folder.glob("*.png"))} if program == "mnc" else {}


def convert(program, path, output):
    import_results(program, str(path), output, **options(program, path.parent))
    return json.loads(output.read_text())


def test_every_program_has_a_file_here():
    assert set(WRITERS) == set(IMPORTERS)


@pytest.mark.parametrize("program", WRITERS)
def test_files_become_results_that_the_evaluation_reads(program, tmp_path):
    path = WRITERS[program](tmp_path)
    found = convert(program, path, tmp_path / "out.json")
    assert {entry["image_id"] for entry in found} == {139}
    assert {entry["category_id"] for entry in found} == {1}
    results = read_results(str(tmp_path / "out.json"), {7: SIZE, 139: SIZE})
    assert results.has_masks == (IMPORTERS[program].form == "masks")
    best_first = results.of(139)
    assert best_first.boxes_xywh.tolist() == [[0, 0, 5, 6], [5, 0, 1, 6]]
    if results.has_masks:
        np.testing.assert_array_equal(coco_mask.decode(best_first.rles).transpose(2, 0, 1), MASKS)


@pytest.mark.parametrize("program", WRITERS)
def test_files_of_another_program_are_refused(program, tmp_path):
    """Each reader meets the files of all others, no file of any, and one that is cut off."""
    for other in set(WRITERS) - {program}:
        folder = tmp_path / other
        folder.mkdir()
        mnc(folder)  # what else a reader of MNC needs
        path = WRITERS[other](folder)
        refused(program, path)
    cut = tmp_path / "cut.any"
    content = WRITERS[program](tmp_path).read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    refused(program, cut)
    cut.write_bytes(b"")
    refused(program, cut)


def refused(program, path):
    output = path.parent / "out" / "results.json"
    with pytest.raises(UserError) as caught:
        convert(program, path, output)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(output.parent.glob("*"))


def test_scores_are_those_of_the_program(tmp_path):
    scores = {}
    for program in WRITERS:
        folder = tmp_path / program
        folder.mkdir()
        scores[program] = [entry["score"] for entry in convert(program, WRITERS[program](folder), folder / "out.json")]
    assert scores["mcg"] == [3.5, -1.0]
    assert scores["gop"] == scores["rigor"] == scores["selective_search"] == [1.0, 0.5]  # their order alone
    assert scores["deepmask"] == [0.25, 0.75]
    assert scores["mnc"] == pytest.approx([0.8, 0.3])
    assert scores["sam"] == pytest.approx([(0.9 + 0.97) / 2, (1.01 + 0.5) / 2])


def test_a_folder_is_all_of_its_files(tmp_path):
    for stem in ("a", "b"):
        sam(tmp_path).rename(tmp_path / f"{stem}.json")
    found = convert("sam", tmp_path, tmp_path / "out.txt")
    assert [entry["image_id"] for entry in found] == ["a", "a", "b", "b"]
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.json").rename(tmp_path / "deep" / "b.json")
    with pytest.raises(UserError, match=r"has several files called b: rename"):
        import_results("sam", str(tmp_path / "**" / "*.json"), tmp_path / "out.txt")
    with pytest.raises(UserError, match=r"no files at .*give a file, a folder with \*\.mat"):
        import_results("mcg", str(tmp_path), tmp_path / "out.txt")


def test_boxes_of_many_images_in_one_file(tmp_path):
    boxes = cell(np.array([[1, 1, 2, 3]]), np.array([[3, 2, 3, 2], [1, 1, 6, 8]]))
    path = mat(tmp_path, {"boxes": boxes.T, "images": cell("2007_000027", "000005")})
    found = list(read_selective_search(path))
    assert [(entry["image_id"], entry["bbox"], entry["rank"]) for entry in found] == [
        ("2007_000027", [0, 0, 3, 2], 0),
        (5, [1, 2, 1, 1], 0),
        (5, [0, 0, 8, 6], 1),
    ]
    path = mat(tmp_path, {"boxes": boxes.T, "images": cell("000005", "000005.jpg")})
    with pytest.raises(UserError, match=r"is no file of Selective Search, or damaged: it has 000005 twice"):
        list(read_selective_search(path))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scores": np.ones((3, 1))}, "3 scores of 2 proposals"),
        ({"labels": cell(np.array([[1]]), np.array([[9]]))}, "index 9 is out of bounds"),
        ({"labels": cell(np.array([[0]]), np.array([[1]]))}, "whole numbers from 1 on"),
        ({"labels": np.ones((2, 1))}, "a cell is expected"),
        ({"superpixels": SUPERPIXELS / 2}, "whole numbers from 1 on"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, reason, tmp_path):
    labels = cell(np.array([[1, 2]]), np.array([[3]]))
    path = mat(tmp_path, {"superpixels": SUPERPIXELS, "labels": labels} | change)
    with pytest.raises(UserError, match=rf"000000000139\.mat is no file of MCG, or damaged: .*{reason}"):
        list(read_mcg(path))


def test_boxes_of_another_convention_are_refused(tmp_path):
    for box in ([0, 0, 5, 5], [5, 1, 2, 3], [np.nan, 1, 1, 1]):
        with pytest.raises(UserError, match="a box is not top, left, bottom, right from 1 on"):
            list(read_selective_search(mat(tmp_path, {"boxes": np.array([box], float)})))


def test_files_of_version_7_3_say_how_to_save_them(tmp_path):
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(
        UserError, match=r"new\.mat is a MATLAB file of version 7\.3: save it anew, save\(\.\.\., '-v7'\)"
    ):
        list(read_mcg(tmp_path / "new.mat"))


def test_masks_of_mnc_are_resized_as_its_evaluation_does(tmp_path):
    """The law is MNC's own: cells from .4 on, resized by OpenCV to the rounded box, pixels from .4 on."""
    random = np.random.default_rng(3)
    size = (60, 90)
    left, top = random.uniform(0, 40, 12), random.uniform(0, 30, 12)
    boxes = np.stack([left, top, left + random.uniform(1, 45, 12), top + random.uniform(1, 28, 12)], 1)
    scores = np.linspace(0.9, 0.1, 12)
    coarse = random.random((12, 7, 7)).astype(np.float32)
    masks = np.stack([cv2.resize(mask, (21, 21)) for mask in coarse])
    save(tmp_path / "res_boxes.pkl", [[[]], [np.column_stack([boxes, scores]).astype(np.float32)]])
    save(tmp_path / "res_masks.pkl", [[[]], [masks[:, None]]])
    Image.new("RGB", size[::-1]).save(tmp_path / "x.png")
    (tmp_path / "val.txt").write_text("x\n")
    found = list(read_mnc(tmp_path / "res_boxes.pkl", tmp_path / "val.txt", [tmp_path / "x.png"]))
    assert len(found) == 12
    for entry, box, mask in zip(found, np.round(boxes.astype(np.float32)).astype(int), masks, strict=True):
        expected = np.zeros(size, bool)
        resized = cv2.resize((mask >= 0.4).astype(np.float32), (box[2] - box[0] + 1, box[3] - box[1] + 1))
        expected[box[1] : box[3] + 1, box[0] : box[2] + 1] = resized >= 0.4
        np.testing.assert_array_equal(coco_mask.decode(entry["segmentation"]), expected)


def test_pickles_run_nothing(tmp_path):
    path = mnc(tmp_path)
    path.write_bytes(pickle.dumps([[partial(print, "run")]], 2))
    with pytest.raises(UserError, match=r"res_boxes\.pkl is no pickle of lists and arrays.*partial is not allowed"):
        list(read_mnc(path, tmp_path / "val.txt", sorted(tmp_path.glob("*.png"))))


def test_names_and_photographs_have_to_fit_those_of_mnc(tmp_path):
    path, read = mnc(tmp_path), partial(read_mnc, images=sorted(tmp_path.glob("*.png")))
    (tmp_path / "short.txt").write_text("139\n")
    with pytest.raises(UserError, match=r"res_boxes\.pkl has results of 2 images, .*short\.txt names 1"):
        list(read(path, tmp_path / "short.txt"))
    (tmp_path / "other.txt").write_text("139\n8\n")
    with pytest.raises(UserError, match=r"other\.txt names 8, of which there is no photograph among"):
        list(read(path, tmp_path / "other.txt"))
    save(tmp_path / "res_masks.pkl", [[[], []], [[], []]])
    with pytest.raises(UserError, match=r"res_masks\.pkl beside it have results of 2 and 1 classes"):
        list(read(path, tmp_path / "val.txt"))
    save(tmp_path / "res_masks.pkl", [[[], []], [[], []], [[], []]])
    with pytest.raises(UserError, match=r"do not fit each other at 139: 2 boxes, 0 masks"):
        list(read(path, Path(tmp_path / "val.txt")))

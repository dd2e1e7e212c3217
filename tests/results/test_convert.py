"""Converting: which proposals of a results file are written, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.images.files import read_pixels, upright_size
from ifcn_tf.masks.rle import encode
from ifcn_tf.results.convert import READERS, chosen
from ifcn_tf.results.formats.image_proposals import categories_of

ROOT = Path(__file__).parents[2]
HW = (40, 60)


def square(top, left, side, size_hw=HW):
    mask = np.zeros(size_hw, bool)
    mask[top : top + side, left : left + side] = True
    return dict(encode(mask))


def result(image_id, segmentation, score, **more):
    return {"image_id": image_id, "category_id": 1, "segmentation": segmentation, "score": score} | more


#: The second square of the cat hides behind the first, the third has no pixel.
RESULTS = [
    result("cat", square(6, 6, 10), 0.8),
    result("cat", square(5, 5, 10), 0.9),
    result("cat", square(0, 0, 0), 0.85),
    result(139, square(20, 30, 8), 0.3),
    result("cat", square(5, 25, 8), 0.7),
]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.png", "000000000139.jpg", "nobody.jpg"):
        Image.new("RGB", HW[::-1], (90, 120, 60)).save(folder / name)
    return {"cat": folder / "cat.png", 139: folder / "000000000139.jpg", "nobody": folder / "nobody.jpg"}


def read(tmp_path, paths, results=RESULTS, **options):
    (tmp_path / "proposals.json").write_text(json.dumps(results))
    images = READERS["coco_results"](str(tmp_path / "proposals.json"), paths)
    images = chosen(images, options.get("min_score", float("-inf")), options.get("distinct"))
    return {image.image_id: image.proposals.scores.round(6).tolist() for image in images}


def test_photographs_that_have_results_with_those_that_have_pixels_best_first(photos, tmp_path):
    assert read(tmp_path, photos) == {"cat": pytest.approx([0.9, 0.8, 0.7]), 139: pytest.approx([0.3])}


def test_some_are_chosen(photos, tmp_path):
    assert read(tmp_path, photos, min_score=0.5) == {"cat": pytest.approx([0.9, 0.8, 0.7]), 139: []}
    assert read(tmp_path, photos, distinct=20) == {"cat": pytest.approx([0.9, 0.7]), 139: pytest.approx([0.3])}
    assert read(tmp_path, photos, distinct=1, min_score=0.5) == {"cat": pytest.approx([0.9]), 139: []}


def test_those_that_hardly_overlap_are_chosen_whatever_their_scores(photos, tmp_path):
    """Scores of other programs may be logits."""
    results = [result("cat", square(5, 5, 10), -1.0), result("cat", square(6, 6, 10), -2.0)]
    assert read(tmp_path, photos, results, distinct=5) == {"cat": [-1.0]}


def test_ranks_order_the_proposals_that_state_them(photos, tmp_path):
    results = [result("cat", square(5, 5, 10), 0.4, rank=0), result("cat", square(5, 25, 8), 0.9, rank=1)]
    assert read(tmp_path, photos, results) == {"cat": pytest.approx([0.4, 0.9])}


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        (
            [result("dog", square(5, 5, 10), 0.4)],
            r"1 of 1 results .* unknown images \(ids dog; known are cat, 139",
        ),
        ([result("cat", square(5, 5, 10, (20, 20)), 0.4)], "its mask is 20 x 20 .* its image 40 x 60 upright"),
        ([{"image_id": "cat", "bbox": [1, 2, 3, 4], "score": 0.5}], "holds boxes without masks"),
        ({"images": []}, "holds no COCO results"),
    ],
)
def test_what_cannot_be_converted_is_named(results, sentence, photos, tmp_path):
    with pytest.raises(UserError, match=sentence) as error:
        read(tmp_path, photos, results)
    assert "proposals.json" in str(error.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_sizes_are_those_of_the_upright_image(suffix, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    assert upright_size(path) == read_pixels(path).shape[:2]
    path.write_bytes(b"no image")
    with pytest.raises(BadImageError, match="not a readable"):
        upright_size(path)


def test_the_command(photos, tmp_path):
    (tmp_path / "proposals.json").write_text(json.dumps(RESULTS))
    arguments = [f"--input={tmp_path}/proposals.json", f"--images={tmp_path}/photos", "--to=labelme", "--distinct=2"]
    program = [sys.executable, "-m", "pipelines.convert", *arguments, f"--output={tmp_path}/new/labelme"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"3 masks of 2 image(s): {tmp_path}/new/labelme")
    assert {path.name for path in (tmp_path / "new" / "labelme").iterdir()} == {"cat.json", "000000000139.json"}
    again = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert (again.returncode, again.stderr.splitlines()[-1].startswith("error: ")) == (1, True)
    assert "labelme exists already" in again.stderr


def test_names_are_kept_also_where_only_some_results_have_them(tmp_path, photos):
    """The table of categories is that of the whole file, so that numbers mean the same in every image."""
    results = [
        result("cat", square(5, 5, 10), 0.9, category_id=7, label="cup"),
        result("cat", square(5, 25, 8), 0.7, category_id=9),
        result(139, square(20, 30, 8), 0.3, category_id=3, label="spoon"),
    ]
    (tmp_path / "proposals.json").write_text(json.dumps(results))
    found = READERS["coco_results"](str(tmp_path / "proposals.json"), photos)
    images = {image.image_id: image.proposals for image in found}
    assert images["cat"].labels == ["cup", "9"] and images[139].labels == ["spoon"]
    assert images["cat"].category_ids.tolist() == [7, 9]
    assert all(proposals.categories == {7: "cup", 3: "spoon"} for proposals in images.values())
    assert categories_of(images["cat"]) == {7: "cup", 3: "spoon", 9: "9"}

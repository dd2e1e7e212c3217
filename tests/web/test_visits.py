"""What is drawn, kept and downloaded of dropped photographs, without a browser."""

import dataclasses
import io
import json
import re
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image
from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import encode as encode_picture
from ifcn_tf.masks.rle import encode
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.registry import FORMATS
from ifcn_tf.web.choice import Wanted
from ifcn_tf.web.downloads import NAMES, Chosen, download
from ifcn_tf.web.drawing import drawing, outline
from ifcn_tf.web.visits import Visit, Visits
from tests.support.rectangles import rectangles

SIZE = (40, 60)
BLACK = encode_picture(Image.new("RGB", SIZE[::-1]), "JPEG")


def propose(image):
    """A large mask at the upper left, and a small one inside."""
    return rectangles(image.shape[:2], [(0, 0, 30, 30), (10, 10, 20, 20)], [0.9, 0.8])


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", SIZE[::-1], (90, 120, 60)).save(tmp_path / name)
    (tmp_path / "cut.png").write_bytes((tmp_path / "b.png").read_bytes()[:-30])
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "more").mkdir()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "more" / "a.png")
    return tmp_path


def visit_of(*paths, limit=5):
    visit = Visit(limit, max_pixels=10_000)
    assert visit.add(paths) == []
    return visit


def filled(path_data, size_hw):
    """The pixels whose centres lie inside an odd number of the rings."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    centres, inside = np.stack([x.ravel(), y.ravel()], 1), np.zeros(size_hw, bool)
    for ring in re.findall(r"M(.*?)Z", path_data):
        points = np.array([point.split() for point in ring.split("L")], float)
        inside ^= Polygon(points).contains_points(centres).reshape(size_hw)
    return inside


def with_hole(size_hw):
    """Two blobs, one of them with a hole, and one touching the border."""
    mask = np.zeros(size_hw, bool)
    mask[5:25, 10:40], mask[10:15, 20:30], mask[28:, 50:] = True, False, True
    return mask


def test_outlines_enclose_exactly_the_pixels_of_a_mask():
    mask = with_hole(SIZE)
    proposals = Proposals(SIZE, np.ones(1, np.float32), [encode(mask)])
    assert (filled(outline(proposals, 0), SIZE) == mask).all()


def test_outlines_have_no_points_on_straight_lines():
    proposals = rectangles(SIZE, [(5, 10, 25, 40)], [1])
    assert outline(proposals, 0).count("L") == 7  # corners are cut by half a pixel: eight points


def test_coarser_outlines_lie_at_the_same_place():
    mask = np.zeros((400, 600), bool)
    mask[100:300, 100:500], mask[150:250, 200:300] = True, False
    proposals = Proposals(mask.shape, np.ones(1, np.float32), [encode(mask)])
    coarse = filled(outline(proposals, 0, step=4), mask.shape)
    assert (coarse & mask).sum() / (coarse | mask).sum() > 0.97
    assert np.abs(np.argwhere(coarse).mean(0) - np.argwhere(mask).mean(0)).max() < 0.5


def test_smaller_masks_are_drawn_over_larger_ones():
    proposals = rectangles(SIZE, [(10, 10, 20, 20), (0, 0, 40, 60), (5, 5, 30, 30)], [0.9, 0.8, 0.7])
    svg = ElementTree.fromstring(drawing(np.zeros((*SIZE, 3), np.uint8), proposals))
    assert [path.get("data-mask") for path in svg.iter("path")] == ["1", "2", "0"]
    assert svg.get("viewBox") == "0 0 60 40"
    assert svg.find("path/title").text == "score 0.80, 100.0% of the photograph"
    named = dataclasses.replace(proposals, category_ids=np.array([1, 7, 1]), categories={7: "cup & saucer"})
    svg = ElementTree.fromstring(drawing(np.zeros((*SIZE, 3), np.uint8), named))
    assert svg.find("path/title").text == "cup & saucer, score 0.80, 100.0% of the photograph"


def test_a_visitor_looks_at_one_photograph_after_the_other(photos):
    visit = visit_of(photos / "a.jpg", photos / "b.png")
    names = []
    for step in (0, 1, 1, -1):
        visit.turn(step)
        names.append(visit.current.name)
    assert names == ["a.jpg", "b.png", "a.jpg", "b.png"]
    visit.turn(1)
    assert visit.add([photos / "more" / "a.png"]) == []
    assert visit.current.name == "a-2.png"  # another stem, and the first of what is new


def test_masks_are_proposed_once_and_only_when_they_are_looked_at(photos):
    calls = []
    visit = visit_of(photos / "a.jpg", photos / "b.png")
    for _ in range(2):
        visit.current.look(lambda image: calls.append(image.shape) or propose(image))
    assert calls == [(40, 60, 3)]
    assert visit.summary(Wanted()) == "a.jpg, 1 of 2: 2 masks shown, 0 taken"


def test_bad_files_are_one_sentence_by_their_own_name(photos):
    visit = Visit(2, max_pixels=10_000)
    refused = visit.add([photos / "text.jpg", photos / "a.jpg", photos / "cut.png", photos / "b.png"])
    assert refused == [
        "text.jpg is not a readable JPEG, PNG, GIF, BMP, WebP or TIFF image.",
        "b.png is one too many: 2 photographs are taken; reload the page for others.",
    ]
    assert visit.current.name == "a.jpg"
    visit.turn(1)
    visit.current.look(propose)
    assert visit.summary(Wanted()) == "cut.png is damaged or cut off: it cannot be decoded."
    visit.current.click(Wanted(), (5, 5), add=False)
    assert visit.current.view(Wanted()) == {"good": [], "taken": [], "box_yxyx": None}


def test_images_over_the_limit_are_refused(photos):
    assert "over the limit of 2000" in Visit(2, max_pixels=2000).add([photos / "a.jpg"])[0]


def test_views_follow_sliders_box_and_clicks(photos):
    visit = visit_of(photos / "a.jpg")
    photograph = visit.current
    photograph.look(propose)
    photograph.click(Wanted(), (15, 15), add=False)
    assert photograph.view(Wanted()) == {"good": [0, 1], "taken": [1], "box_yxyx": None}
    assert photograph.view(Wanted(min_score=0.85))["good"] == [0]
    photograph.box_yxyx = (8.0, 8.0, 22.0, 22.0)
    assert photograph.view(Wanted()) == {"good": [1], "taken": [1], "box_yxyx": (8.0, 8.0, 22.0, 22.0)}
    photograph.click(Wanted(min_score=0.95), (15, 15), add=False)
    assert photograph.choice.taken == []


def test_what_was_taken_of_each_photograph_is_downloaded(photos):
    visit = visit_of(photos / "a.jpg", photos / "b.png")
    for step, point in ((0, (15, 15)), (1, (5, 5))):
        visit.turn(step)
        visit.current.look(propose)
        visit.current.click(Wanted(), point, add=False)
    assert visit.summary(Wanted()) == "b.png, 2 of 2: 2 masks shown, 1 taken (and 1 of other photographs)"
    name, content = download(visit.chosen(), "coco")
    results = json.loads(content)
    assert name == "coco.json"
    assert [(result["image_id"], coco_mask.area(result["segmentation"])) for result in results] == [
        ("a", 100),
        ("b", 900),
    ]
    assert results[0]["score"] == pytest.approx(0.8)


def test_formats_of_one_file_are_that_file_and_others_an_archive():
    proposals = rectangles(SIZE, [(10, 10, 20, 20), (0, 0, 30, 30)], [0.9, 0.8])
    chosen = [Chosen("a.jpg", BLACK, proposals)]
    assert download(chosen, "labelme")[0] == "a.json"
    assert json.loads(download(chosen, "labelme")[1])["imagePath"] == "../a.jpg"
    name, content = download(chosen, "binary_masks")
    assert name == "binary_masks.zip"
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert names == ["binary_masks/a/000.png", "binary_masks/a/001.png", "binary_masks/a/index.csv"]


@pytest.mark.parametrize("file_format", NAMES)
def test_every_format_can_be_downloaded_for_several_photographs(file_format):
    proposals = rectangles(SIZE, [(10, 10, 20, 20)], [0.9])
    name, content = download([Chosen("a.jpg", BLACK, proposals), Chosen("b.jpg", BLACK, proposals)], file_format)
    assert name == file_format + (FORMATS[file_format].suffix or ".zip")
    archive = zipfile.ZipFile(io.BytesIO(content)) if name.endswith(".zip") else None
    files = [archive.read(member) for member in archive.namelist()] if archive else [content]
    assert any(files)
    assert not any(tempfile.gettempdir().encode() in file for file in files)  # no path of the server


def test_all_formats_can_be_downloaded_but_those_of_whole_paths_and_of_further_packages():
    assert set(FORMATS) - set(NAMES) == {"fiftyone", "parquet"}


def test_masks_are_downloaded_best_first_whatever_was_clicked_first(photos):
    visit = visit_of(photos / "a.jpg")
    visit.current.look(propose)
    visit.current.choice.taken = [1, 0]
    results = json.loads(download(visit.chosen(), "coco")[1])
    assert [result["score"] for result in results] == pytest.approx([0.9, 0.8])


def test_what_a_format_cannot_hold_is_one_sentence_without_a_path_of_the_server(tmp_path):
    scale, tie_point = 33550, 33922
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "map.tif", tiffinfo={scale: (1.0,), tie_point: (0.0,)})
    chosen = Chosen("map.tif", (tmp_path / "map.tif").read_bytes(), rectangles(SIZE, [(10, 10, 20, 20)], [0.9]))
    with pytest.raises(UserError, match=r"^map\.tif says of its place"):
        download([chosen], "geojson")


def test_visits_are_forgotten_at_the_end_and_when_there_are_too_many(photos):
    visits = Visits(visitors=2, limit=5, max_pixels=10_000)
    visits.of("anna").add([photos / "a.jpg"])
    visits.of("ben").add([photos / "a.jpg"])
    assert visits.of("anna").current.name == "a.jpg"
    visits.of("cleo")  # ben was silent the longest
    assert len(visits) == 2
    assert visits.of("anna").current
    visits.forget("anna")
    assert visits.of("anna").current is None
    visits.forget("nobody")

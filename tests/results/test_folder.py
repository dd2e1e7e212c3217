"""Many images into one folder: what is written, what happens to bad files, interruptions and full disks."""

import base64
import csv
import io
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, TiffTags
from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig, ShownConfig
from ifcn_tf.images.tensors import read_image
from ifcn_tf.pictures.proposals import draw_proposals
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.folder import Output, find_images, left_out, propose_images, summary
from ifcn_tf.results.parts import merge_parts


def square(size_hw, top, left, side):
    mask = np.zeros(size_hw, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def as_proposals(masks, scores):
    rles = [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
    rles = [{"size": list(rle["size"]), "counts": rle["counts"].decode()} for rle in rles]
    return Proposals(masks[0].shape, np.array(scores, np.float32), rles)


class Squares:
    """Stands in for a predictor: proposes three squares, and counts its calls."""

    def __init__(self):
        self.settings, self.calls = {"weights": "abc", "proposer": ProposerConfig().to_dict()}, 0

    def propose_file(self, path):
        image = read_image(path)
        return image, self.propose(image)

    def propose(self, image):
        self.calls += 1
        size = image.shape[:2]
        masks = [square(size, 5, 5, 10), square(size, 6, 6, 10), square(size, 5, 25, 8)]
        return as_proposals(masks, [0.9, 0.8, 0.7])


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for stem in ("000000000139", "dog", "zebra"):
        Image.new("RGB", (50, 40), (90, 120, 60)).save(folder / f"{stem}.jpg")
    return folder


def run(photos, out, proposer=None, **options):
    written = {name: options.pop(name) for name in ("formats", "shown", "simplify") if name in options}
    return propose_images(proposer or Squares(), find_images(str(photos)), Output(out, **written), **options)


def test_coco_results_that_pycocotools_reads(photos, tmp_path):
    assert run(photos, tmp_path / "out") == []
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert [r["image_id"] for r in results] == [139] * 3 + ["dog"] * 3 + ["zebra"] * 3
    first = results[0]
    assert first["bbox"] == [5, 5, 10, 10]
    assert first["category_id"] == 1
    assert first["score"] == pytest.approx(0.9)
    assert coco_mask.area(first["segmentation"]) == 100
    with Image.open(tmp_path / "out" / "overlays" / "dog.png") as picture:
        assert picture.size == (50, 40)
        colours = np.asarray(picture)
    assert (colours[38, 48] == colours[0, 0]).all()  # untouched outside of the masks
    assert (colours[7, 27] != colours[0, 0]).any()  # inside the third square


def test_a_file_that_no_format_can_be_written_of_fails_alone(photos, tmp_path):
    """Tags that say nothing of a place on the map; the other images have theirs."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[34264], tags.tagtype[34264] = (1.0, 2.0), TiffTags.DOUBLE
    Image.new("RGB", (50, 40)).save(photos / "map.tif", tiffinfo=tags)
    (failure,) = run(photos, tmp_path / "out", formats=["geojson"])
    assert failure.path == photos / "map.tif"
    assert "map.tif says of its place on the map what is no GeoTIFF" in failure.reason
    assert len(list((tmp_path / "out" / "geojson").glob("*.geojson"))) == 3


def test_a_photograph_that_is_called_a_tiff_has_no_place_on_a_map(tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "photo.tif", "PNG")
    assert run(tmp_path / "photo.tif", tmp_path / "out", formats=["geojson"]) == []


def test_nothing_of_an_earlier_run_stands_beside_the_next(photos, tmp_path):
    """Not even where the next one has no proposals."""
    run(photos, tmp_path / "out", formats=["cvat"])
    for path in photos.iterdir():
        path.write_bytes(b"no image")
    assert len(run(photos, tmp_path / "out", formats=["cvat"])) == 3
    assert not {"proposals.json", "cvat.xml", "run.json"} & {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("pattern", "sentence"), [("a**", r"cannot read .*a\*\*"), ("caf\udce9.jpg", "caf.* is not UTF-8: rename the file")]
)
def test_patterns_and_names_that_cannot_be_used(pattern, sentence, tmp_path):
    (tmp_path / "caf\udce9.jpg").touch()
    with pytest.raises(UserError, match=sentence):
        find_images(str(tmp_path / pattern))


def test_further_formats(photos, tmp_path):
    run(photos, tmp_path / "out", formats=["binary_masks", "labelme", "csv"])
    masks = sorted((tmp_path / "out" / "binary_masks" / "dog").glob("*.png"))
    assert [mask.name for mask in masks] == ["000.png", "001.png"]  # the second square hides behind the first
    np.testing.assert_array_equal(np.asarray(Image.open(masks[1])) > 0, square((40, 50), 5, 25, 8))
    labels = json.loads((tmp_path / "out" / "labelme" / "dog.json").read_text())
    assert (labels["imageHeight"], labels["imageWidth"], labels["imageData"]) == (40, 50, None)
    assert Path(tmp_path / "out" / "labelme" / labels["imagePath"]).exists()
    corners = np.array(labels["shapes"][0]["points"])
    assert corners.min(0).tolist() == [5, 5]
    assert corners.max(0).tolist() == [15, 15]
    with (tmp_path / "out" / "csv" / "dog.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == pytest.approx([0.9, 0.7])
    decoded = coco_mask.decode({"size": json.loads(rows[0]["size_hw"]), "counts": rows[0]["rle_counts"]})
    np.testing.assert_array_equal(decoded, square((40, 50), 5, 5, 10))


def test_formats_of_all_images_are_written_in_the_end_also_by_a_run_that_is_resumed(photos, tmp_path):
    run(photos, tmp_path / "out", formats=["cvat", "labelme"])
    edited = tmp_path / "out" / "labelme" / "dog.json"
    edited.write_text("edited")
    Image.new("RGB", (30, 20)).save(photos / "yak.png")
    run(photos, tmp_path / "out", formats=["cvat", "labelme"], resume=True)
    text = (tmp_path / "out" / "cvat.xml").read_text()
    assert re.findall(r'name="(\w+)\.', text) == ["000000000139", "dog", "yak", "zebra"]
    assert text.count("<polygon ") == 4 * 2  # the second square of each hides behind the first
    assert edited.read_text() == "edited"


def test_a_run_that_could_not_write_its_polygons_does_not_begin(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(UserError, match="needs Shapely"):
        run(photos, tmp_path / "out", formats=["cvat"], simplify=1.0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["parts", "overlays"])
def test_nothing_is_written_through_a_link_out_of_the_folder(name, photos, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"out/{name} is a link"):
        run(photos, tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_formats_are_written_as_asked_for(photos, tmp_path):
    """Overlays unless others are named; with none, COCO's results alone."""
    for options, folders in (({}, ["overlays"]), ({"formats": ["csv"]}, ["csv"]), ({"formats": []}, [])):
        out = tmp_path / f"out of {folders}"
        run(photos, out, **options)
        assert {path.name for path in out.iterdir()} == {"parts", "proposals.json", "run.json", *folders}
        written = ", ".join(str(out / name) for name in ("proposals.json", *folders))
        assert summary(Output(out, folders), 3, []) == f"3 of 3 image(s) done: {written}"


def test_bad_files_are_left_out_and_listed(photos, tmp_path):
    (photos / "broken.jpg").write_text("no image")
    (photos / "notes.txt").write_text("not looked at")
    failures = run(photos, tmp_path / "out")
    assert [failure.path.name for failure in failures] == ["broken.jpg"]
    assert "broken.jpg is not a readable" in summary(Output(tmp_path / "out"), 4, failures)
    results = json.loads((tmp_path / "out" / "proposals.json").read_text())
    assert {r["image_id"] for r in results} == {139, "dog", "zebra"}


def test_where_no_file_can_be_read_nothing_is_left(tmp_path):
    (tmp_path / "broken.jpg").write_text("no image")
    propose_images(Squares(), [tmp_path / "broken.jpg"], Output(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_resume_does_only_what_is_missing(photos, tmp_path):
    class Interrupted(Squares):
        def propose(self, image):
            if self.calls == 2:
                raise KeyboardInterrupt
            return super().propose(image)

    with pytest.raises(KeyboardInterrupt):
        run(photos, tmp_path / "out", Interrupted())
    assert not (tmp_path / "out" / "proposals.json").exists()
    rest = Squares()
    assert run(photos, tmp_path / "out", rest, resume=True) == []
    assert rest.calls == 1
    later = (tmp_path / "out" / "parts" / "dog.json").stat().st_mtime + 1
    os.utime(next(photos.glob("dog.*")), (later, later))  # another photograph took its place
    replaced = Squares()
    run(photos, tmp_path / "out", replaced, resume=True)
    assert replaced.calls == 1
    run(photos, tmp_path / "whole")
    for name in ("proposals.json", "run.json"):
        assert (tmp_path / "out" / name).read_text() == (tmp_path / "whole" / name).read_text()
    other = Squares()
    other.settings["weights"] = "xyz"
    with pytest.raises(UserError, match=r"was made with other settings \(weights\)"):
        run(photos, tmp_path / "out", other, resume=True)


def test_an_image_without_proposals_is_done_too(photos, tmp_path):
    class Nothing(Squares):
        def propose(self, image):
            self.calls += 1
            return Proposals(image.shape[:2], np.zeros(0, np.float32), [])

    run(photos, tmp_path / "out", Nothing(), formats=["labelme", "csv", "binary_masks"])
    assert json.loads((tmp_path / "out" / "proposals.json").read_text()) == []
    again = Nothing()
    run(photos, tmp_path / "out", again, formats=["labelme", "csv", "binary_masks"], resume=True)
    assert again.calls == 0


def test_what_can_be_named(photos, monkeypatch):
    assert [p.name for p in find_images(str(photos / "dog.jpg"))] == ["dog.jpg"]
    assert [p.name for p in find_images(str(photos / "[dz]*.jpg"))] == ["dog.jpg", "zebra.jpg"]
    assert len(find_images(str(photos.parent / "**" / "*.jpg"))) == 3
    for missing in (photos / "cat.jpg", photos / "*.png", photos.parent / "nowhere"):
        with pytest.raises(UserError, match="no images at"):
            find_images(str(missing))
    for suffix in ("webp", "tif", "TIFF"):
        (photos / f"{suffix}.{suffix}").write_bytes(b"")
    assert len(find_images(str(photos))) == 6
    (photos / "139.png").write_bytes(b"")
    with pytest.raises(UserError, match="would both be image 139"):
        find_images(str(photos))

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)  # a test that runs as root can read any folder
    with pytest.raises(UserError, match=r"cannot read .*photos: Permission denied"):
        find_images(str(photos))


def test_images_that_cannot_be_read_are_counted(photos):
    assert left_out(str(photos)) == ""
    for name in ("a.heic", "b.HEIC", "c.avif", "notes.txt", "run.json", "d.svg"):
        (photos / name).write_bytes(b"")
    message = "left out: 1 x .avif, 2 x .heic, 1 x .svg, which cannot be read: save them as JPEG or PNG"
    assert left_out(str(photos)) == message
    assert left_out(str(photos / "*.heic")) == left_out(str(photos / "a.heic")) == ""  # it will be tried, and fail
    assert [path.suffix for path in find_images(str(photos))] == [".jpg"] * 3
    for path in photos.glob("*.jpg"):
        path.unlink()
    with pytest.raises(UserError, match=rf"no images at .*photos.*{message}"):
        find_images(str(photos))


def test_full_disk_leaves_no_half_file(photos, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    run(photos, tmp_path / "out")
    before = (tmp_path / "out" / "proposals.json").read_text()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*run\.json: No space left on device; free some space"):
        run(photos, tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "proposals.json").read_text() == before
    with pytest.raises(UserError, match="No space left"):
        merge_parts(tmp_path / "out", find_images(str(photos)))
    assert (tmp_path / "out" / "proposals.json").read_text() == before
    assert not list((tmp_path / "out").rglob(".unfinished-*"))


def test_distinct_proposals_by_hand():
    # B shares 81 of its 100 pixels with A, C shares 15 of 100: 81 % and 15 % of the smaller one.
    size = (40, 60)
    proposals = as_proposals(
        [square(size, 0, 0, 10), square(size, 1, 1, 10), square(size, 5, 7, 10), square(size, 20, 30, 20)],
        [0.9, 0.8, 0.7, 0.6],
    )
    assert proposals.distinct().scores.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert proposals.distinct(ShownConfig(count=2)).scores.tolist() == pytest.approx([0.9, 0.7])
    assert proposals.distinct(ShownConfig(max_overlap=0.1)).scores.tolist() == pytest.approx([0.9, 0.6])
    assert proposals.distinct(ShownConfig(min_score=0.65)).scores.tolist() == pytest.approx([0.9, 0.7])
    by_rank = as_proposals([square(size, 0, 0, 10), square(size, 1, 1, 10), square(size, 20, 30, 20)], [0.2, 0.9, 0.6])
    assert by_rank.distinct().scores.tolist() == pytest.approx([0.9, 0.6])  # the first is not good enough to be shown
    small_inside_large = as_proposals([square(size, 0, 0, 40), square(size, 10, 10, 5)], [0.9, 0.8])
    assert len(small_inside_large.distinct()) == 1


def test_proposals_as_arrays():
    proposals = as_proposals([square((20, 30), 2, 3, 4), square((20, 30), 5, 6, 7)], [0.5, 0.4])
    assert proposals.boxes_xywh().tolist() == [[3, 2, 4, 4], [6, 5, 7, 7]]
    assert proposals.boxes_yxyx().tolist() == [[2, 3, 6, 7], [5, 6, 12, 13]]
    assert proposals.areas().tolist() == [16, 49]
    assert proposals[1:].masks().sum() == 49
    assert len(proposals[:0].boxes_yxyx()) == 0
    assert [len(one) for one in proposals] == [1, 1]
    for chosen in (1, [1], np.array([False, True]), [False, True], slice(1, None)):
        assert proposals[chosen].scores.tolist() == pytest.approx([0.4])
        assert proposals[chosen].areas().tolist() == [49]


def test_resumed_runs_do_not_mix(photos, tmp_path):
    class Interrupted(Squares):
        def propose(self, image):
            raise KeyboardInterrupt

    run(photos, tmp_path / "out")
    changed = Interrupted()
    changed.settings["weights"] = "xyz"
    with pytest.raises(KeyboardInterrupt):
        run(photos, tmp_path / "out", changed)
    again = Squares()
    again.settings["weights"] = "xyz"
    run(photos, tmp_path / "out", again, resume=True)
    assert again.calls == 3  # what the first run left under other settings does not count
    elsewhere = tmp_path / "elsewhere"
    photos.rename(elsewhere)
    with pytest.raises(UserError, match=r"was made with other settings \(images\)"):
        run(elsewhere, tmp_path / "out", again, resume=True)
    (tmp_path / "out" / "run.json").unlink()
    with pytest.raises(UserError, match=r"cannot read .*run\.json"):
        run(elsewhere, tmp_path / "out", resume=True)


def test_a_second_run_leaves_no_masks_of_the_first(photos, tmp_path):
    run(photos, tmp_path / "out", formats=["binary_masks"])
    run(photos, tmp_path / "out", formats=["binary_masks"], shown=ShownConfig(count=1))
    assert [mask.name for mask in (tmp_path / "out" / "binary_masks" / "dog").glob("*.png")] == ["000.png"]


def test_overlay_fills_outlines_and_labels():
    image = np.full((60, 80, 3), 100, np.uint8)
    picture = np.asarray(draw_proposals(image, as_proposals([square((60, 80), 5, 5, 50)], [0.9]))).astype(int)
    colour = picture[5, 30]  # the outline
    assert np.ptp(colour) > 100
    np.testing.assert_allclose(picture[10, 10], 100 + 0.45 * (colour - 100), atol=1)  # the fill
    np.testing.assert_allclose(picture[4, 30], 25)  # the rim
    np.testing.assert_allclose(picture[58, 70], 100)
    assert (picture[20:40, 15:45].min(2) > 200).sum() > 20  # white letters in the middle
    assert (picture[20:40, 15:45].sum(2) == 60).any()  # on their dark tag


def tags(picture):
    """Where there are tags, bool [H, W]: nothing else has their ground."""
    return (np.asarray(picture).astype(int) == 20).all(2)


def test_a_tag_stands_in_what_is_seen_of_its_mask_or_nowhere():
    image = np.full((100, 160, 3), 100, np.uint8)
    below, above, small = (
        square(image.shape[:2], 5, 5, 80),
        square(image.shape[:2], 5, 5, 50),
        square((100, 160), 60, 120, 8),
    )
    assert not tags(draw_proposals(image, as_proposals([small], [0.9]))).any()
    shown = tags(draw_proposals(image, as_proposals([above, below, small], [0.9, 0.8, 0.7])))
    assert shown[above].sum() > 100 and shown[below & ~above].sum() > 100
    assert not shown[~below].any()


def test_outlines_leave_the_inside_and_cutouts_the_outside():
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    masks = [square((60, 80), 2, 2, 20), square((60, 80), 30, 50, 10)]
    proposals = as_proposals(masks, [0.9, 0.8])
    cut = np.asarray(draw_proposals(image, proposals, "cutouts"))
    union = masks[0] | masks[1]
    assert (cut[union] == np.dstack([image, np.full((60, 80), 255)])[union]).all()
    assert not cut[~union].any()
    outlined = np.asarray(draw_proposals(image, proposals, "outlines"))
    assert (outlined[31:39, 51:59] == image[31:39, 51:59]).all()
    assert (outlined[30, 50:60] == outlined[30, 50]).all()


class Cards(HTMLParser):
    """What a contact sheet shows: attributes of cards and of pictures, and whatever it would load."""

    def __init__(self, page):
        super().__init__()
        self.cards, self.pictures, self.loaded = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.cards += [attributes] if tag == "figure" else []
        self.pictures += [attributes] if tag == "img" and "src" in attributes else []
        self.loaded += [value for name, value in attributes.items() if name in ("src", "href")]


def test_a_contact_sheet_is_one_page_that_loads_nothing(photos, tmp_path):
    (photos / "dog.jpg").rename(photos / 'a "dog" & <b>.jpg')
    Image.new("RGB", (1600, 800)).save(photos / "wide.png")
    formats = ["contact_sheet"]
    run(photos, tmp_path / "out", formats=formats)
    page = tmp_path / "out" / "contact_sheet.html"
    assert summary(Output(tmp_path / "out", formats), 4, []).endswith(f"proposals.json, {page}")
    found = Cards(page.read_text())
    assert [card["data-name"] for card in found.cards] == [path.name for path in find_images(str(photos))]
    assert {(card["data-score"], card["data-count"]) for card in found.cards} == {("0.9000", "2")}
    assert len(found.loaded) == 4 and all(value.startswith("data:image/webp;base64,") for value in found.loaded)
    with Image.open(io.BytesIO(base64.b64decode(found.pictures[2]["src"].partition(",")[2]))) as wide:
        assert wide.size == (960, 480) == tuple(int(found.pictures[2][side]) for side in ("width", "height"))
    before = page.read_text()
    resumed = Squares()
    run(photos, tmp_path / "out", resumed, formats=formats, resume=True)
    assert resumed.calls == 0 and page.read_text() == before


def test_a_contact_sheet_of_nothing_found(photos, tmp_path):
    class Nothing(Squares):
        def propose(self, image):
            return Proposals(image.shape[:2], np.zeros(0, np.float32), [])

    run(photos, tmp_path / "out", Nothing(), formats=["contact_sheet", "outlines", "cutouts"])
    cards = Cards((tmp_path / "out" / "contact_sheet.html").read_text()).cards
    assert {(card["data-score"], card["data-count"]) for card in cards} == {("0.0000", "0")}

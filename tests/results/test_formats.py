"""Formats: whoever reads them gets the masks back, by readers that nobody here wrote where they are installed."""

import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage

from ifcn_tf.common.files import BadImageError, UserError
from ifcn_tf.images.files import read_pixels
from ifcn_tf.masks.rle import encode
from ifcn_tf.pictures.proposals import draw_proposals
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.formats.image_proposals import ImageProposals
from ifcn_tf.results.formats.pictures import STYLES
from ifcn_tf.results.formats.registry import FORMATS, write_whole
from tests.support.polygons import blob, filled, iou

ROOT = Path(__file__).parents[2]
HW = (80, 91)
SIMPLIFY = pytest.mark.parametrize("simplify", [0.0, 1.0])


def scene():
    """Three masks that do not touch: one of parts and holes, a disc, a box at the border. One of them is small."""
    y, x = np.mgrid[: HW[0], : HW[1]] + 0.5
    disc, box = np.hypot(y - 24, x - 22) < 16, (y > 66) & (x > 70)
    apart = ndimage.binary_dilation(disc | box, iterations=2)
    return [blob(1) & ~apart, disc, box]


@pytest.fixture
def images(tmp_path):
    """Two photographs with masks, and one without, of the names that are hard to write."""
    masks = scene()
    found = []
    for stem, chosen in (("000000000139", masks), ('a "dog" & ö', masks[:2]), ("empty", [])):
        path = tmp_path / "photos" / f"{stem}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", HW[::-1], (90, 120, 60)).save(path)
        scores = np.array([0.9, 0.8, 0.7][: len(chosen)], np.float32)
        found.append(ImageProposals(path, Proposals(HW, scores, list(map(encode, chosen)))))
    return found


def pairs(values):
    return np.reshape(np.array(values, float), (-1, 2))


def read_coco(output, images):
    coco = COCO(output)
    (category,) = coco.loadCats(coco.getCatIds())
    assert category["name"] == "object"
    for entry in coco.loadImgs(coco.getImgIds()):
        annotations = coco.loadAnns(coco.getAnnIds(entry["id"]))
        yield [coco.annToMask(item).astype(bool) for item in annotations], [item["score"] for item in annotations]


def read_coco_results(output, images):
    results = json.loads(output.read_text())
    for image in images:
        mine = [entry for entry in results if entry["image_id"] == image.image_id]
        yield [coco_mask.decode(entry["segmentation"]) > 0 for entry in mine], [entry["score"] for entry in mine]


def read_cvat(output, images):
    for element in ElementTree.parse(output).getroot().iter("image"):
        assert (element.get("height"), element.get("width")) == tuple(map(str, HW))
        shapes = [shape for shape in element if shape.get("label") == "object"]
        yield list(map(cvat_mask, shapes)), [float(shape.findtext("attribute")) for shape in shapes]


def cvat_mask(shape):
    if shape.tag == "polygon":
        return filled([pairs(shape.get("points").replace(";", ",").split(","))], HW)
    left, top, width, height = (int(shape.get(name)) for name in ("left", "top", "width", "height"))
    runs = [int(run) for run in shape.get("rle").split(",")]
    mask = np.zeros(HW, bool)
    values = np.repeat(np.arange(len(runs)) % 2 > 0, runs)
    mask[top : top + height, left : left + width] = values.reshape(height, width)
    return mask


def read_labelme(output, images):
    for image in images:
        content = json.loads((output / f"{image.path.stem}.json").read_text())
        assert (output / content["imagePath"]).resolve() == image.path.resolve()
        assert (content["imageHeight"], content["imageWidth"]) == HW
        masks, scores = {}, {}
        for shape in content["shapes"]:
            group = shape["group_id"]
            masks[group] = masks.get(group, False) | filled([shape["points"]], HW)
            scores[group] = float(shape["description"].split()[1])
        yield list(masks.values()), list(scores.values())


def read_yolo(output, images):
    """By the documented rule: a line is a class and points as shares of width and height."""
    assert 'names:\n  0: "object"\n' in (output / "data.yaml").read_text()
    for image in images:
        assert (output / "images" / "train" / image.path.name).read_bytes() == image.path.read_bytes()
        lines = (output / "labels" / "train" / f"{image.path.stem}.txt").read_text().splitlines()
        assert all(line.startswith("0 ") for line in lines)
        yield [filled([pairs(line.split()[1:]) * HW[::-1]], HW) for line in lines], None


def read_geojson(output, images):
    for image in images:
        content = json.loads((output / f"{image.path.stem}.geojson").read_text())
        masks = []
        for feature in content["features"]:
            kind, coordinates = feature["geometry"]["type"], feature["geometry"]["coordinates"]
            polygons = coordinates if kind == "MultiPolygon" else [coordinates]
            assert all(ring[0] == ring[-1] for polygon in polygons for ring in polygon)
            masks.append(filled([ring for polygon in polygons for ring in polygon], HW))
        yield masks, [feature["properties"]["score"] for feature in content["features"]]


def read_index_png(output, images):
    for image in images:
        values = np.asarray(Image.open(output / f"{image.path.stem}.png"))
        yield [values == number for number in range(1, values.max() + 1)], None


def read_binary_masks(output, images):
    for image in images:
        paths = sorted((output / image.path.stem).glob("*.png"))
        with (output / image.path.stem / "index.csv").open() as file:
            scores = [float(row["score"]) for row in csv.DictReader(file)]
        yield [np.asarray(Image.open(path)) > 0 for path in paths], scores


def read_csv(output, images):
    for image in images:
        with (output / f"{image.path.stem}.csv").open() as file:
            rows = list(csv.DictReader(file))
        rles = [{"size": json.loads(row["size_hw"]), "counts": row["rle_counts"]} for row in rows]
        yield [coco_mask.decode(rle) > 0 for rle in rles], [float(row["score"]) for row in rows]


def read_label_studio(output, images):
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="label-studio-sdk is not installed")
    for task in json.loads(output.read_text()):
        (prediction,) = task["predictions"]
        masks = []
        for region in prediction["result"]:
            assert (region["original_height"], region["original_width"]) == HW
            value = region["value"]
            if region["type"] == "polygonlabels":
                masks.append(filled([pairs(value["points"]) * HW[::-1] / 100], HW))
            else:
                masks.append(brush.decode_rle(value["rle"]).reshape(*HW, 4)[..., 3] > 0)
        yield masks, [region["score"] for region in prediction["result"]]


def read_parquet(output, images):
    for row in pytest.importorskip("pyarrow.parquet").read_table(output).to_pylist():
        size = row["height"], row["width"]
        rles = [{"size": size, "counts": counts} for counts in row["masks"]]
        yield [coco_mask.decode(rle) > 0 for rle in rles], row["scores"]


READERS = {
    "binary_masks": read_binary_masks,
    "coco": read_coco_results,
    "coco_annotations": read_coco,
    "csv": read_csv,
    "cvat": read_cvat,
    "fiftyone": read_coco,
    "geojson": read_geojson,
    "index_png": read_index_png,
    "label_studio": read_label_studio,
    "labelme": read_labelme,
    "parquet": read_parquet,
    "yolo": read_yolo,
}


def require_library(name):
    if FORMATS[name].library:
        pytest.importorskip("pyarrow", reason="the extra `arrow` is not installed")


def test_every_format_has_a_reader_here_or_is_a_picture():
    assert READERS.keys() | STYLES.keys() | {"contact_sheet"} == FORMATS.keys()


@pytest.mark.parametrize("name", READERS)
@SIMPLIFY
def test_every_mask_comes_back(name, simplify, images, tmp_path):
    if simplify:
        pytest.importorskip("shapely", reason="the extra `polygons` is not installed")
    require_library(name)
    output = tmp_path / ("output" + FORMATS[name].suffix)
    write_whole(name, iter(images), output, simplify)
    found = list(READERS[name](output, images))
    assert len(found) == len(images)
    for image, (masks, scores) in zip(images, found, strict=True):
        assert len(masks) == len(image.proposals)
        assert [iou(*pair) >= 0.98 for pair in zip(masks, image.proposals.masks(), strict=True)] == [True] * len(masks)
        assert scores is None or scores == pytest.approx(image.proposals.scores.tolist(), abs=1e-3)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_left_of_what_fails(name, images, tmp_path):
    def broken():
        yield images[0]
        raise UserError("proposals.json is cut off.")

    require_library(name)
    output = tmp_path / "folder" / ("output" + FORMATS[name].suffix)
    with pytest.raises(UserError, match="cut off"):
        write_whole(name, broken(), output, 0.0)
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("name", STYLES)
def test_pictures_are_drawn_in_their_style_over_the_photograph(name, images, tmp_path):
    write_whole(name, images, tmp_path / "out", 0.0)
    for image in images:
        expected = draw_proposals(read_pixels(image.path), image.proposals, STYLES[name])
        with Image.open(tmp_path / "out" / f"{image.path.stem}.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


def test_a_folder_that_is_there_already_is_not_touched(images, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="mine exists already"):
        write_whole("labelme", iter(images), tmp_path / "mine", 0.0)


def test_better_masks_cover_others_in_an_index_png_and_no_object_is_number_255(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (20, 20)).save(path)
    masks = np.zeros((300, 20, 20), bool)
    masks[np.arange(300), np.arange(300) // 20, np.arange(300) % 20] = True
    masks[1, 0, 0] = True  # hidden by the better first one
    proposals = Proposals((20, 20), np.linspace(1, 0, 300, dtype=np.float32), list(map(encode, masks)))
    for count, mode in ((254, "P"), (255, "I;16"), (300, "I;16")):
        write_whole("index_png", [ImageProposals(path, proposals[:count])], tmp_path / str(count), 0.0)
        with Image.open(tmp_path / str(count) / "photo.png") as picture:
            assert picture.mode == mode
            values = np.asarray(picture).ravel()
        assert values[:254].tolist() == list(range(1, 255))
        assert values[254:count].tolist() == list(range(256, count + 2))
        assert not values[count:].any()


def test_names_of_formats_say_what_they_write():
    assert all(form.summary.endswith(".") for form in FORMATS.values())


def test_geojson_of_a_geotiff_lies_on_its_map(tmp_path):
    """Pixels of 10 m; the corner of pixel (0, 0) is at 500000 E, 4000000 N. The mask is 2 x 3 px."""
    path = tmp_path / "map.tif"
    tags = {33550: (10.0, 10.0, 0.0), 33922: (0.0, 0.0, 0.0, 500000.0, 4000000.0, 0.0)}
    keys = (1, 1, 0, 2, 1025, 0, 1, 1, 3072, 0, 1, 32633)
    save_geotiff(path, tags, keys)
    mask = np.zeros((20, 30), bool)
    mask[4:6, 7:10] = True
    images = [ImageProposals(path, Proposals((20, 30), np.ones(1, np.float32), [encode(mask)]))]
    write_whole("geojson", images, tmp_path / "corner", 0.0)
    content = json.loads((tmp_path / "corner" / "map.geojson").read_text())
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    (ring,) = content["features"][0]["geometry"]["coordinates"]
    assert np.min(ring, 0).tolist() == [500070, 4000000 - 60]
    assert np.max(ring, 0).tolist() == [500100, 4000000 - 40]
    (x, y), (next_x, next_y) = np.transpose(ring[:-1]), np.transpose(ring[1:])
    assert (x * next_y - next_x * y).sum() > 0  # against the clock, north up
    # The same map, said of the centre of pixel (0, 0), by the other tag.
    matrix = (10.0, 0, 0, 500005.0, 0, -10.0, 0, 3999995.0, 0, 0, 0, 0, 0, 0, 0, 1.0)
    save_geotiff(path, {34264: matrix}, (1, 1, 0, 1, 1025, 0, 1, 2))
    write_whole("geojson", images, tmp_path / "centre", 0.0)
    content = json.loads((tmp_path / "centre" / "map.geojson").read_text())
    assert "crs" not in content
    assert content["features"][0]["geometry"]["coordinates"] == [ring]
    save_geotiff(path, {34264: matrix[:15]}, (1, 1, 0, 0))
    with pytest.raises(BadImageError, match=r"map\.tif says of its place"):
        write_whole("geojson", images, tmp_path / "broken", 0.0)


def save_geotiff(path, tags, keys):
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory = ImageFileDirectory_v2()
    for tag, values in tags.items():
        directory.tagtype[tag], directory[tag] = 12, values
    directory.tagtype[34735], directory[34735] = 3, keys
    Image.new("RGB", (30, 20)).save(path, tiffinfo=directory)


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("cvat", "cvat", "annotations.xml"),
        ("coco_annotations", "coco_instances", "annotations/instances_default.json"),
    ],
)
def test_datumaro_reads(name, kind, place, images, tmp_path):
    """It numbers the annotations of COCO by group, and gives those of CVAT, one an object, none."""
    datumaro = pytest.importorskip("datumaro", reason="datumaro is not installed")
    (tmp_path / "out" / "images").mkdir(parents=True)
    for image in images:
        (tmp_path / "out" / "images" / image.path.name).write_bytes(image.path.read_bytes())
    FORMATS[name].write(iter(images), tmp_path / "out" / place, 0.0)
    found = {item.id: item for item in datumaro.Dataset.import_from(str(tmp_path / "out"), kind)}
    assert found.keys() == {image.path.stem for image in images}
    for image in images:
        objects = {}
        for number, item in enumerate(found[image.path.stem].annotations):
            if item.type.name != "bbox":
                mask = filled([pairs(item.points)], HW) if item.type.name == "polygon" else item.image > 0
                key = item.group or -number
                objects[key] = objects.get(key, False) | mask
        masks = [objects[key] for key in sorted(objects, key=abs)]
        assert len(masks) == len(image.proposals)
        assert all(iou(*pair) >= 0.98 for pair in zip(masks, image.proposals.masks(), strict=True))


def test_label_studio_accepts_predictions_in_the_documented_interface(images, tmp_path):
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    documented = re.search(r"```xml\n(.*?)```", (ROOT / "docs" / "formats.md").read_text(), re.DOTALL)[1]
    found = interface.LabelInterface(documented)
    found.validate()
    write_whole("label_studio", iter(images), tmp_path / "tasks.json", 0.0)
    for task in json.loads((tmp_path / "tasks.json").read_text()):
        assert found.validate_prediction(task["predictions"][0], return_errors=True) == []


def test_shapely_finds_geojson_valid(images, tmp_path):
    shapely = pytest.importorskip("shapely", reason="the extra `polygons` is not installed")
    write_whole("geojson", iter(images), tmp_path / "out", 1.0)
    for path in (tmp_path / "out").iterdir():
        for feature in json.loads(path.read_text())["features"]:
            shape = shapely.geometry.shape(feature["geometry"])
            assert shape.is_valid
            assert shape.area == pytest.approx(feature["properties"]["area_px"], rel=0.02)


def test_labelme_loads_its_files(images, tmp_path):
    labelme = pytest.importorskip("labelme", reason="labelme is not installed")
    write_whole("labelme", iter(images), tmp_path / "out", 0.0)
    loaded = labelme.LabelFile(str(tmp_path / "out" / "000000000139.json"))
    assert len(loaded.shapes) >= 3
    assert loaded.imageData

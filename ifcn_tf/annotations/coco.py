"""COCO's json: polygons, run lengths and crowds of COCO 2014 and 2017, and anybody's own file of that form.

`bbox`, `area`, `iscrowd`, `info`, `licenses` and the image sizes may be absent; `id`, `image_id`, `file_name` and
`segmentation` may not: an entry without them is left out and reported. The json is read as a stream into a temporary
database on disk, because the annotations of an image may stand anywhere in it; so memory does not grow with the file.
"""

from __future__ import annotations

import contextlib
import functools
import json
import reprlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import ijson
import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.example import Example, Instance, Job, Loaded, Problem, Source, counts_of
from ifcn_tf.annotations.label_images import MIN_AREA, ImageLeftOutError, read_image, read_names
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import canonical_id
from ifcn_tf.masks.rle import OutsideError, are_whole, from_polygons

#: Vertices may lie this far outside the image [px]: annotation tools round.
_OVERHANG = 1.0
#: What an image's size and its masks' have to be.
_UPRIGHT = "sizes and masks are of the upright image, as its EXIF orientation says"


def coco_source(annotations: Path, images: Path, names: Path | None = None) -> Source:
    """Opens a COCO json.

    Args:
        annotations: the json file.
        images: folder of its photographs.
        names: text file of the images to take, file names without ending, one a line; by default all.

    Raises:
        UserError: a file is missing, or the json is no object.
    """
    index = _Index(annotations, images)
    if names:
        index.keep(names)
    return index.source()


class _Index:
    """The json's images and annotations in a temporary database, by image."""

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations, self.images = annotations, images
        self.problems: list[Problem] = []
        self.database = sqlite3.connect("")  # a file that vanishes with the connection
        self.database.execute("CREATE TABLE images (id PRIMARY KEY, name, entry)")
        self.database.execute("CREATE TABLE annotations (id UNIQUE, image_id, entry)")
        _require_object(annotations)
        self.categories = {c["id"]: str(c["name"]) for c in self._entries("categories", _is_category)}
        for image in self._entries("images", lambda entry: canonical_id(entry.get("id")) is not None):
            name = Path(str(image.get("file_name"))).stem
            self._insert("images", "(?, ?, ?)", image, (_key(image["id"]), name, json.dumps(image)))
        for entry in self._entries("annotations", lambda entry: canonical_id(entry.get("image_id")) is not None):
            number = None if entry.get("id") is None else json.dumps(entry["id"])
            self._insert("annotations", "(?, ?, ?)", entry, (number, _key(entry["image_id"]), json.dumps(entry)))
        self.database.execute("CREATE INDEX by_image ON annotations (image_id)")
        orphans = self.database.execute(
            "SELECT id, image_id FROM annotations WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.id = image_id)"
        )
        for number, image in orphans:
            self.problems.append(Problem("unknown image", f"{self.annotations}: annotation {number} is of {image}"))

    def keep(self, names: Path) -> None:
        """Forgets the images that a list does not name; a name without an image is a problem."""
        listed, problems = read_names(names)
        present = {name for (name,) in self.database.execute("SELECT name FROM images")}
        absent = [f"{names}: {name} is not in {self.annotations}" for name in listed if name not in present]
        self.problems += [*problems, *(Problem("missing image", where) for where in absent)]
        self.database.execute("CREATE TABLE listed (name PRIMARY KEY)")
        self.database.executemany("INSERT INTO listed VALUES (?)", ((name,) for name in listed))
        self.database.execute("DELETE FROM images WHERE name NOT IN (SELECT name FROM listed)")

    def source(self) -> Source:
        (size,) = self.database.execute("SELECT COUNT(*) FROM images").fetchone()
        return Source(self.categories, size + bool(self.problems), _Jobs(self))

    def _entries(self, table: str, is_usable: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
        with _opened(self.annotations) as file:
            for number, entry in enumerate(ijson.items(file, f"{table}.item", use_float=True)):
                if isinstance(entry, dict) and is_usable(entry):
                    yield entry
                else:
                    where = f"{self.annotations}: {table}[{number}] is {reprlib.repr(entry)}"
                    self.problems.append(Problem("malformed entry", where))

    def _insert(self, table: str, places: str, entry: dict[str, Any], row: tuple) -> None:
        inserted = self.database.execute(f"INSERT OR IGNORE INTO {table} VALUES {places}", row)
        if not inserted.rowcount:
            self.problems.append(Problem("duplicate id", f"{self.annotations}: {entry['id']} in {table!r}"))


def _key(image_id: Any) -> str:
    """What the database knows an image by: its id may be a number of any size, or a text."""
    return json.dumps(canonical_id(image_id))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}.") from error
    except ijson.JSONError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from error


def _require_object(path: Path) -> None:
    with _opened(path) as file:
        event, _ = next(ijson.basic_parse(file))
        if event != "start_map":
            raise UserError(f"{path} is no COCO json: it has to be an object with 'images' and 'annotations'.")


def _is_category(entry: dict[str, Any]) -> bool:
    return _is_whole(entry.get("id")) and "name" in entry


def _is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


class _Jobs:
    """Iterates over an index, one job an image, in the order of the file."""

    def __init__(self, index: _Index) -> None:
        self.index = index

    def __iter__(self) -> Iterator[Job]:
        index = self.index
        if index.problems:
            yield functools.partial(Loaded, None, tuple(index.problems))
        known = frozenset(index.categories)
        for number, entry in index.database.execute("SELECT id, entry FROM images ORDER BY rowid"):
            rows = index.database.execute("SELECT entry FROM annotations WHERE image_id = ? ORDER BY rowid", (number,))
            yield functools.partial(_load, index.images, entry, [row for (row,) in rows], known)


def _load(images: Path, image_json: str, annotation_jsons: list[str], known: frozenset[int]) -> Loaded:
    image = json.loads(image_json)
    try:
        encoded, size_hw = read_image(images / _name_inside(image))
        for name, size in zip(("height", "width"), size_hw, strict=True):
            if image.get(name) not in (None, size):
                where = f"{image['file_name']}: {name} {image[name]} in the json, {size} in the image; {_UPRIGHT}"
                raise ImageLeftOutError("mask of another size", where)
    except ImageLeftOutError as error:
        return Loaded(None, (error.problem,))
    objects, problems = [], []
    for annotation in map(json.loads, annotation_jsons):
        try:
            objects.append(_instance(annotation, size_hw, known))
        except _ObjectLeftOutError as error:
            where = f"{image['file_name']}: annotation {annotation.get('id')}: {error.reason}"
            problems.append(Problem(error.kind, where))
    example = Example(str(image["id"]), image["file_name"], encoded, size_hw, tuple(objects))
    return Loaded(example, tuple(problems))


def _name_inside(image: dict[str, Any]) -> str:
    """The image's file name, which stays in the folder of the images."""
    name = image.get("file_name")
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ImageLeftOutError("malformed entry", f"image {image['id']}: no name of a file in the folder: {name!r}")
    return name


class _ObjectLeftOutError(Exception):
    """An object has to be left out."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


def _instance(annotation: dict[str, Any], size_hw: tuple[int, int], known: frozenset[int]) -> Instance:
    category, area = annotation.get("category_id", 1), annotation.get("area")
    is_crowd = annotation.get("iscrowd", 0)
    if not _is_whole(category) or not isinstance(area, int | float | None) or is_crowd not in (0, 1, None):
        wrong = f"category {category!r}, area {area!r}, iscrowd {is_crowd!r}"
        raise _ObjectLeftOutError("malformed annotation", wrong)
    if known and category not in known:
        raise _ObjectLeftOutError("unknown category", f"category {category} is not listed")
    mask = decode_segmentation(annotation.get("segmentation"), size_hw)
    pixels = int(mask.sum())
    if pixels < MIN_AREA:
        raise _ObjectLeftOutError("empty or one-pixel mask", f"{pixels} px")
    return Instance(counts_of(mask), category, bool(is_crowd), float(pixels if area is None else area))


def decode_segmentation(segmentation: Any, size_hw: tuple[int, int]) -> np.ndarray:
    """Mask of any of COCO's forms: polygons, run lengths as a list, compressed run lengths.

    Returns:
        uint8 [H, W], 0 or 1.
    """
    if not segmentation:
        return np.zeros(size_hw, np.uint8)
    try:
        if isinstance(segmentation, dict):
            return _decode_runs(segmentation, size_hw)
        return _decode_polygons(segmentation, size_hw)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _ObjectLeftOutError("malformed mask", f"{type(error).__name__}: {error}") from error


def _decode_runs(segmentation: dict[str, Any], size_hw: tuple[int, int]) -> np.ndarray:
    size, counts = segmentation["size"], segmentation["counts"]
    if tuple(size) != size_hw:
        raise _ObjectLeftOutError("mask of another size", f"mask {size}, image {list(size_hw)}; {_UPRIGHT}")
    if not _fill(counts, size_hw[0] * size_hw[1]):
        raise _ObjectLeftOutError("mask of another size", f"its runs do not fill the image of {list(size_hw)}")
    return coco_mask.decode(coco_mask.frPyObjects(segmentation, *size_hw) if isinstance(counts, list) else segmentation)


def _fill(counts: list[int] | str, area: int) -> bool:
    """Whether run lengths, compressed or not, are whole numbers from 0 that add up to an area."""
    if isinstance(counts, list):
        return all(run >= 0 and run % 1 == 0 for run in counts) and sum(counts) == area
    return bool(are_whole([counts.encode("ascii")], np.array([area]))[0])


def _decode_polygons(polygons: list[list[float]], size_hw: tuple[int, int]) -> np.ndarray:
    try:
        return coco_mask.decode(from_polygons(polygons, size_hw, _OVERHANG))
    except OutsideError as error:
        raise _ObjectLeftOutError("polygon outside the image", str(error)) from error

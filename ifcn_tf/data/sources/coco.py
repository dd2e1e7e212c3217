"""COCO's json: polygons, run lengths and crowds of COCO 2014 and 2017, and anybody's own file of that form.

`bbox`, `area`, `iscrowd`, `info`, `licenses` and the image sizes may be absent; `id`, `image_id`, `file_name` and
`segmentation` may not. The json is read as a stream into a temporary database on disk, because the annotations of an
image may stand anywhere in it; so memory does not grow with the file.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson
import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.data.example import Example, Instance, Job, Loaded, Problem, Source, counts_of
from ifcn_tf.data.sources.common import MIN_AREA, ImageLeftOutError, read_image
from ifcn_tf.files import UserError

#: Vertices may lie this far outside the image [px]: annotation tools round.
_OVERHANG = 1.0


def coco_source(annotations: Path, images: Path) -> Source:
    """Opens a COCO json.

    Args:
        annotations: the json file.
        images: folder of its photographs.

    Raises:
        UserError: the file is missing, is no JSON or lacks what it must have.
    """
    return _Index(annotations, images).source()


class _Index:
    """The json's images and annotations in a temporary database, by image."""

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations, self.images = annotations, images
        self.problems: list[Problem] = []
        self.database = sqlite3.connect("")  # a file that vanishes with the connection
        self.database.execute("CREATE TABLE images (id PRIMARY KEY, entry)")
        self.database.execute("CREATE TABLE annotations (id UNIQUE, image_id, entry)")
        self.categories = {int(c["id"]): str(c["name"]) for c in self._entries("categories", ("id", "name"))}
        for image in self._entries("images", ("id", "file_name")):
            self._insert("images", "(?, ?)", image, (image["id"], json.dumps(image)))
        for entry in self._entries("annotations", ("image_id",)):
            self._insert("annotations", "(?, ?, ?)", entry, (entry.get("id"), entry["image_id"], json.dumps(entry)))
        self.database.execute("CREATE INDEX by_image ON annotations (image_id)")

    def source(self) -> Source:
        (size,) = self.database.execute("SELECT COUNT(*) FROM images").fetchone()
        orphans = self.database.execute(
            "SELECT id, image_id FROM annotations WHERE image_id NOT IN (SELECT id FROM images)"
        )
        for number, image in orphans:
            self.problems.append(Problem("unknown image", f"{self.annotations}: annotation {number} is of {image}"))
        return Source(self.categories, size + bool(self.problems), _Jobs(self))

    def _entries(self, table: str, required: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        try:
            with self.annotations.open("rb") as file:
                for entry in ijson.items(file, f"{table}.item", use_float=True):
                    missing = [name for name in required if name not in entry]
                    if missing:
                        raise UserError(f"{self.annotations}: an entry of {table!r} lacks {missing[0]!r}: {entry}.")
                    yield entry
        except OSError as error:
            raise UserError(f"cannot read {self.annotations}: {error.strerror or error}.") from error
        except ijson.JSONError as error:
            raise UserError(f"{self.annotations} is not valid JSON: {error}.") from error

    def _insert(self, table: str, places: str, entry: dict[str, Any], row: tuple) -> None:
        inserted = self.database.execute(f"INSERT OR IGNORE INTO {table} VALUES {places}", row)
        if not inserted.rowcount:
            self.problems.append(Problem("duplicate id", f"{self.annotations}: {entry['id']} in {table!r}"))


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
        encoded, size_hw = read_image(images / image["file_name"])
        stated = (image.get("height", size_hw[0]), image.get("width", size_hw[1]))
        if stated != size_hw:
            raise ImageLeftOutError("mask of another size", f"{image['file_name']}: json {stated}, image {size_hw}")
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


class _ObjectLeftOutError(Exception):
    """An object has to be left out."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


def _instance(annotation: dict[str, Any], size_hw: tuple[int, int], known: frozenset[int]) -> Instance:
    category = annotation.get("category_id", 1)
    if known and category not in known:
        raise _ObjectLeftOutError("unknown category", f"category {category} is not listed")
    mask = decode_segmentation(annotation.get("segmentation"), size_hw)
    area = int(mask.sum())
    if area < MIN_AREA:
        raise _ObjectLeftOutError("empty or one-pixel mask", f"{area} px")
    return Instance(
        counts_of(mask), int(category), bool(annotation.get("iscrowd", 0)), float(annotation.get("area", area))
    )


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
    except (KeyError, TypeError, ValueError) as error:
        raise _ObjectLeftOutError("malformed mask", f"{type(error).__name__}: {error}") from error


def _decode_runs(segmentation: dict[str, Any], size_hw: tuple[int, int]) -> np.ndarray:
    if tuple(segmentation["size"]) != size_hw:
        raise _ObjectLeftOutError("mask of another size", f"mask {segmentation['size']}, image {list(size_hw)}")
    if isinstance(segmentation["counts"], list):
        if sum(segmentation["counts"]) != size_hw[0] * size_hw[1]:
            raise _ObjectLeftOutError("mask of another size", f"its runs do not fill the image of {list(size_hw)}")
        segmentation = coco_mask.frPyObjects(segmentation, *size_hw)
    return coco_mask.decode(segmentation)


def _decode_polygons(polygons: list[list[float]], size_hw: tuple[int, int]) -> np.ndarray:
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers")
        xy = np.reshape(np.asarray(polygon, np.float64), (-1, 2))
        if np.any(xy < -_OVERHANG) or np.any(xy > np.array(size_hw[::-1]) + _OVERHANG):
            low, high = xy.min(0).tolist(), xy.max(0).tolist()
            raise _ObjectLeftOutError("polygon outside the image", f"x, y in {low} .. {high}, image {size_hw[::-1]}")
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *size_hw)))

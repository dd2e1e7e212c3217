"""A COCO json as a database: its images in the order of the file, each with its annotations in that of their ids.

The annotations of an image may stand anywhere in the file, which is read as a stream into a temporary database on disk;
so memory does not grow with the file. What an entry says is not looked at here, ids apart.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import reprlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ifcn_tf.annotations.example import Problem
from ifcn_tf.annotations.reading import read_names, repeated_names
from ifcn_tf.common.ids import ImageId, canonical_id, sort_key
from ifcn_tf.common.json_lists import Entry, read_lists

#: What the lists of a COCO json need.
_NEEDS = {
    "images": "a COCO json needs lists of 'images' and 'annotations', which are objects",
    "annotations": "a COCO json needs lists of 'images' and 'annotations', which are objects",
    "categories": "each of its 'categories' needs an 'id' and a 'name', the id a whole number",
}


@dataclasses.dataclass(frozen=True)
class CocoImage:
    """An image and its annotations as the file states them; can be pickled, and is parsed where it is needed.

    Attributes:
        text: its JSON.
        annotation_texts: that of each annotation.
    """

    text: str
    annotation_texts: tuple[str, ...]

    @functools.cached_property
    def entry(self) -> dict[str, Any]:
        """The image's entry."""
        return json.loads(self.text)

    @property
    def image_id(self) -> ImageId:
        """The image's id as `canonical_id` writes it."""
        image_id = canonical_id(self.entry["id"])
        assert image_id is not None, "the index holds no other"
        return image_id

    @functools.cached_property
    def annotations(self) -> list[dict[str, Any]]:
        """The annotations' entries by their ids, whatever their order in the file; those without come last."""
        return sorted(map(json.loads, self.annotation_texts), key=_order)


def _order(annotation: dict[str, Any]) -> tuple[Any, ...]:
    number = canonical_id(annotation.get("id"))
    return number is None, sort_key(0 if number is None else number)


class CocoIndex:
    """What a COCO json lists; iterates over its images.

    Attributes:
        path: the json file.
        categories: names by id.
        lists: names of the lists that the file has.
        malformed: sentences about entries that are left out, without their last full stop.
        repeated: ids that stood in "images" and "annotations" before, as JSON; the first entry counts.
        strangers: ids of annotations and of their images, as JSON, where no such image is listed.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file; raises UserError if it cannot be read, is no JSON or no object."""
        self.path = path
        self.categories: dict[int, str] = {}
        self.lists: set[str] = set()
        self.malformed: list[str] = []
        self.repeated: dict[str, list[str]] = {"images": [], "annotations": []}
        self._names_problems: list[Problem] = []
        self._database = sqlite3.connect("")  # a file that vanishes with the connection
        self._database.execute("CREATE TABLE images (id PRIMARY KEY, name, entry)")
        self._database.execute("CREATE TABLE annotations (id UNIQUE, image_id, entry)")
        for name, entries in read_lists(path):
            if name in _NEEDS:
                self._read_list(name, entries)
        self._database.execute("CREATE INDEX by_image ON annotations (image_id)")
        self.strangers: list[tuple[str, str]] = self._database.execute(
            "SELECT id, image_id FROM annotations WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.id = image_id)"
        ).fetchall()

    def __len__(self) -> int:
        (size,) = self._database.execute("SELECT COUNT(*) FROM images").fetchone()
        return size

    def __iter__(self) -> Iterator[CocoImage]:
        find = "SELECT entry FROM annotations WHERE image_id = ? ORDER BY rowid"
        for key, text in self._database.execute("SELECT id, entry FROM images ORDER BY rowid"):
            yield CocoImage(text, tuple(entry for (entry,) in self._database.execute(find, (key,))))

    def problems(self) -> list[Problem]:
        """All that is left out of the index, one by one."""
        problems = [Problem("malformed entry", sentence) for sentence in self.malformed]
        for name, ids in self.repeated.items():
            problems += [Problem("duplicate id", f"{self.path}: {number} in {name!r}") for number in ids]
        for number, image in self.strangers:
            problems.append(Problem("unknown image", f"{self.path}: annotation {number} is of {image}"))
        return problems + self._names_problems

    def keep(self, names: Path) -> None:
        """Forgets the images that a list does not name; a name without an image is a problem."""
        listed, repeated = read_names(names)
        present = {name for (name,) in self._database.execute("SELECT name FROM images")}
        absent = [f"{names}: {name} is not in {self.path}" for name in listed if name not in present]
        self._names_problems += repeated_names(names, repeated)
        self._names_problems += (Problem("missing image", where) for where in absent)
        self._database.execute("CREATE TABLE listed (name PRIMARY KEY)")
        self._database.executemany("INSERT INTO listed VALUES (?)", ((name,) for name in listed))
        self._database.execute("DELETE FROM images WHERE name NOT IN (SELECT name FROM listed)")

    def _read_list(self, name: str, entries: Iterator[Entry] | None) -> None:
        if entries is None:
            self.malformed.append(f"{self.path}: {name!r} is no list; {_NEEDS[name]}")
            return
        self.lists.add(name)
        add = {"images": self._add_image, "annotations": self._add_annotation, "categories": self._add_category}[name]
        for number, entry in enumerate(entries):
            fault = add(entry) if isinstance(entry.value, dict) else _NEEDS[name]
            if fault:
                self.malformed.append(f"{self.path}: {name}[{number}] is {reprlib.repr(entry.value)}; {fault}")

    def _add_image(self, entry: Entry) -> str | None:
        """What is wrong with an entry that cannot be used."""
        image_id = canonical_id(entry.value.get("id"))
        if image_id is None:
            return f"image id {entry.value.get('id')!r} is neither a whole number nor a text"
        name = Path(str(file_name_of(entry.value))).stem.encode(errors="replace").decode()  # of halves of characters
        self._insert("images", json.dumps(image_id), name, entry.text)
        return None

    def _add_annotation(self, entry: Entry) -> str | None:
        number, image_id = entry.value.get("id"), canonical_id(entry.value.get("image_id"))
        if image_id is None:
            stated = entry.value.get("image_id")
            return f"annotation {number}: its image_id is {stated!r}, a whole number or text is needed"
        self._insert("annotations", None if number is None else json.dumps(number), json.dumps(image_id), entry.text)
        return None

    def _add_category(self, entry: Entry) -> str | None:
        number = whole_number(entry.value.get("id"))
        if number is None or "name" not in entry.value:
            return _NEEDS["categories"]
        self.categories[number] = str(entry.value["name"])
        return None

    def _insert(self, table: str, key: str | None, second: str, text: str) -> None:
        if not self._database.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", (key, second, text)).rowcount:
            self.repeated[table].append(str(key))


def file_name_of(image: dict[str, Any]) -> Any:
    """The image's file as its entry states it: by name, or, as LVIS does, by its folder and name in the address."""
    address = image.get("coco_url")
    return image.get("file_name", "/".join(address.split("/")[-2:]) if isinstance(address, str) else None)


def whole_number(value: Any) -> int | None:
    """A category's id as an integer of 64 bits; None if it is none."""
    is_whole = type(value) in (int, float) and value % 1 == 0 and abs(value) < 2**63
    return int(value) if is_whole else None

"""The objects that proposals should find: those of COCO as a strict view of `annotations.coco`; reads no photograph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ifcn_tf.annotations.coco import read_objects
from ifcn_tf.annotations.coco_index import CocoImage, CocoIndex
from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import ImageId, canonical_id, examples, id_of_file, repeated, sort_key
from ifcn_tf.masks.coco_forms import NO_BOX, UnusableError, box_xywh


@dataclasses.dataclass(frozen=True)
class Truth:
    """The images to evaluate on.

    Attributes:
        source: what the truth was read from, for messages.
        images: sorted by id, numbers before texts; the order of a file does not matter.
        sizes: (height, width) [px] of every image that the source knows, evaluated or not.
        photographs: folder of the images, if it is known.
        ids_of_names: ids of all these images by the names of their files as `id_of_file` writes them, without names
            that two images share. Results that are named after files are found by them.
        categories: names by id; there may be none.
    """

    source: str
    images: list[Example]
    sizes: Mapping[ImageId, tuple[int, int]]
    photographs: Path | None = None
    ids_of_names: Mapping[ImageId, ImageId] = dataclasses.field(default_factory=dict)
    categories: Mapping[int, str] = dataclasses.field(default_factory=dict)

    @property
    def num_objects(self) -> int:
        """Objects of all images, without crowds."""
        return sum(int((~image.crowd).sum()) for image in self.images)

    def require_objects(self) -> Truth:
        """Returns itself; raises UserError when there is no object, so that no recall is defined."""
        if not self.num_objects:
            raise UserError(f"{self.source} has no objects in {len(self.images)} image(s), so recall is undefined.")
        return self


def read_coco(path: str | Path) -> Truth:
    """Reads COCO annotations, of which an image needs id, height and width, an annotation image_id and segmentation.

    What data preparation leaves out and reports is refused here, and polygons may lie further outside an image. The
    mask's own box and area stand in for those that are absent.

    Raises:
        UserError: no such file, a missing or odd field, an id that appears twice, an annotation of an unknown image, a
            mask of another size than its image.
    """
    index = CocoIndex(Path(path))
    _require_sound(index)
    images = sorted((_example(index, image) for image in index), key=lambda image: sort_key(image.image_id))
    sizes = {image.image_id: image.size_hw for image in images}
    return Truth(str(path), images, sizes, _coco_photographs(index.path), _ids_of_names(images), index.categories)


def _require_sound(index: CocoIndex) -> None:
    if index.malformed:
        raise UserError(f"{index.malformed[0]}.")
    if not {"images", "annotations"} <= index.lists:
        raise UserError(f"{index.path} is no COCO json: it needs lists of 'images' and 'annotations'.")
    for name, ids in index.repeated.items():
        if twice := list(dict.fromkeys(ids)):
            what = f"{len(twice)} {name.removesuffix('s')} id(s) appear more than once"
            raise UserError(f"{index.path}: {what} ({examples(twice)}).")
    if strangers := [number for number, _ in index.strangers]:
        some = examples(strangers)
        raise UserError(f"{index.path}: {len(strangers)} annotations ({some}) belong to images it does not list.")


def _example(index: CocoIndex, image: CocoImage) -> Example:
    size_hw = (_side(index.path, image, "height"), _side(index.path, image, "width"))
    found = read_objects(image, size_hw, index.categories)
    objects = tuple(
        _instance(index.path, annotation, *item) for annotation, item in zip(image.annotations, found, strict=True)
    )
    file_name = image.entry.get("file_name") or f"{image.image_id}.jpg"
    return Example(str(image.entry["id"]), str(file_name), size_hw, objects)


def _side(path: Path, image: CocoImage, name: str) -> int:
    where, side = f"{path}, image {image.image_id}", image.entry.get(name)
    if side is None:
        raise UserError(
            f"{where} has no {name}: `ifcn-tf prepare-data --format=coco` takes it from the photograph and writes a "
            "complete json."
        )
    if not (isinstance(side, int | float) and not isinstance(side, bool) and side > 0 and side % 1 == 0):
        raise UserError(f"{where}: its {name} is {side!r}, a positive whole number is needed.")
    return int(side)


def _instance(path: Path, annotation: dict[str, Any], name: str, content: Instance | UnusableError) -> Instance:
    """An object with the box that its annotation states."""
    number = annotation.get("id")
    if number is not None and canonical_id(number) is None:
        raise UserError(f"{path}: annotation id {number!r} is neither a whole number nor a text.")
    try:
        if isinstance(content, UnusableError):
            raise content
        box = box_xywh(annotation)
    except UnusableError as error:
        raise UserError(f"{path}, {name}: {error}.") from error
    return content if box is NO_BOX else dataclasses.replace(content, box_xywh=box)


def _ids_of_names(images: Sequence[Example]) -> dict[ImageId, ImageId]:
    names = [id_of_file(Path(image.file_name)) for image in images]
    shared = set(repeated(names))
    return {name: image.image_id for name, image in zip(names, images, strict=True) if name not in shared}


def _coco_photographs(annotations: Path) -> Path | None:
    """COCO's layout: annotations/instances_val2017.json beside val2017/."""
    folder = annotations.parent.parent / annotations.stem.rpartition("_")[2]
    return folder if folder.is_dir() else None

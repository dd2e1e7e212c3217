"""The objects that proposals should find, read from COCO json, PASCAL VOC or SBD; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.common.files import UserError, read_json
from ifcn_tf.common.ids import ImageId, canonical_id, examples, id_of_file, repeated, sort_key
from ifcn_tf.evaluation.matching import SIZES
from ifcn_tf.masks.coco_forms import NO_BOX, box_xywh, compressed_counts
from ifcn_tf.masks.rle import Rle, are_whole


@dataclasses.dataclass(frozen=True)
class TruthImage:
    """One image and its objects.

    Attributes:
        image_id: as `canonical_id` writes it.
        file_name: of the photograph.
        size_hw: height and width [px].
        rles: G masks.
        boxes_xywh: float64 [G, 4], left, top, width, height [px].
        areas: float64 [G], which size class an object belongs to [px^2].
        crowd: bool [G], groups that count as no object: a proposal on one is neither right nor wrong.
        categories: G names, or none where the truth has no categories.
    """

    image_id: ImageId
    file_name: str
    size_hw: tuple[int, int]
    rles: list[Rle]
    boxes_xywh: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    categories: list[str]

    @classmethod
    def from_masks(
        cls, image_id: ImageId, file_name: str, masks: np.ndarray, categories: Sequence[str] = ()
    ) -> TruthImage:
        """An image whose objects are given as bool [G, H, W]."""
        encoded = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0), np.uint8))
        rles = [Rle(size=list(masks.shape[1:]), counts=rle["counts"].decode()) for rle in encoded]
        areas, boxes = masks.sum((1, 2)).astype(float), _boxes(rles)
        crowd = np.zeros(len(rles), bool)
        return cls(image_id, file_name, masks.shape[1:], rles, boxes, areas, crowd, list(categories))


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
    """

    source: str
    images: list[TruthImage]
    sizes: Mapping[ImageId, tuple[int, int]]
    photographs: Path | None = None
    ids_of_names: Mapping[ImageId, ImageId] = dataclasses.field(default_factory=dict)

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

    Annotation ids only need to be distinct, and are numbered where absent; category ids need to be known, and are not
    looked at where no categories are given; the mask's own box and area stand in for those that are absent.

    Raises:
        UserError: no such file, a missing or odd field, an id that appears twice, an annotation of an unknown image, a
            mask of another size than its image.
    """
    source, content = str(path), read_json(path)
    if not (isinstance(content, dict) and all(_are_dicts(content.get(name)) for name in ("images", "annotations"))):
        raise UserError(f"{path} is no COCO annotation file: it needs lists of 'images' and 'annotations'.")
    names = _category_names(source, content)
    annotations = _annotations_of_images(source, content)
    images = [_coco_image(source, image, annotations[_image_id(source, image)], names) for image in content["images"]]
    images.sort(key=lambda image: sort_key(image.image_id))
    sizes = {image.image_id: image.size_hw for image in images}
    truth = Truth(source, images, sizes, _coco_photographs(Path(path)), _ids_of_names(images))
    _require_whole(truth)
    return truth


def _ids_of_names(images: Sequence[TruthImage]) -> dict[ImageId, ImageId]:
    names = [id_of_file(Path(image.file_name)) for image in images]
    shared = set(repeated(names))
    return {name: image.image_id for name, image in zip(names, images, strict=True) if name not in shared}


def _are_dicts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, dict) for value in values)


def _category_names(source: str, content: dict[str, Any]) -> dict[Any, str]:
    try:
        return {category["id"]: str(category["name"]) for category in content.get("categories") or []}
    except (KeyError, TypeError) as error:
        raise UserError(f"{source}: each of its 'categories' needs an 'id' and a 'name'.") from error


def _image_id(source: str, image: dict[str, Any]) -> ImageId:
    image_id = canonical_id(image.get("id"))
    if image_id is None:
        raise UserError(f"{source}: image id {image.get('id')!r} is neither a whole number nor a text.")
    return image_id


def _annotations_of_images(source: str, content: dict[str, Any]) -> dict[ImageId, list[dict[str, Any]]]:
    ids = [_image_id(source, image) for image in content["images"]]
    annotations = _numbered(source, content["annotations"])
    _require_distinct(source, "image", ids)
    _require_distinct(source, "annotation", [annotation["id"] for annotation in annotations])
    found: dict[ImageId, list[dict[str, Any]]] = {image_id: [] for image_id in ids}
    unknown: list[dict[str, Any]] = []
    for annotation in sorted(annotations, key=lambda annotation: sort_key(annotation["id"])):
        image_id = canonical_id(annotation.get("image_id"))
        if image_id is None:
            raise UserError(
                f"{source}, annotation {annotation['id']}: its image_id is {annotation.get('image_id')!r}, "
                "a whole number or text is needed."
            )
        found.get(image_id, unknown).append(annotation)
    if unknown:
        some = examples([annotation["id"] for annotation in unknown])
        raise UserError(f"{source}: {len(unknown)} annotations ({some}) belong to images it does not list.")
    return found


def _numbered(source: str, annotations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The annotations, those without an id with the whole numbers after the largest one, in the order of the file."""
    given = [annotation["id"] for annotation in annotations if annotation.get("id") is not None]
    if odd := [number for number in given if canonical_id(number) is None]:
        raise UserError(f"{source}: annotation id {odd[0]!r} is neither a whole number nor a text.")
    free = itertools.count(1 + max((number for number in given if isinstance(number, int)), default=0))
    return [a if a.get("id") is not None else a | {"id": next(free)} for a in annotations]


def _require_distinct(source: str, what: str, ids: Sequence[Any]) -> None:
    if twice := repeated(ids):
        raise UserError(f"{source}: {len(twice)} {what} id(s) appear more than once ({examples(twice)}).")


def _coco_image(
    source: str, image: dict[str, Any], annotations: Sequence[dict[str, Any]], names: Mapping[Any, str]
) -> TruthImage:
    image_id = _image_id(source, image)
    height, width = (_side(f"{source}, image {image_id}", image, name) for name in ("height", "width"))
    wheres = [f"{source}, annotation {annotation['id']} of image {image_id}" for annotation in annotations]
    located = list(zip(wheres, annotations, strict=True))
    rles = [_rle(where, annotation, (height, width)) for where, annotation in located]
    boxes, areas = _boxes(rles), np.array(coco_mask.area(rles) if rles else [], float)
    for i, (where, annotation) in enumerate(located):
        given = box_xywh(where, annotation)
        boxes[i] = boxes[i] if given is NO_BOX else given
        areas[i] = _area(where, annotation, areas[i])
    crowd = np.array([bool(annotation.get("iscrowd", 0)) for annotation in annotations], bool)
    categories = [_category(where, annotation, names) for where, annotation in located] if names else []
    file_name = str(image.get("file_name", f"{image_id}.jpg"))
    return TruthImage(image_id, file_name, (height, width), rles, boxes, areas, crowd, categories)


def _side(where: str, image: dict[str, Any], name: str) -> int:
    side = image.get(name)
    if side is None:
        raise UserError(
            f"{where} has no {name}: pipelines.prepare_data --format=coco takes it from the photograph and writes a "
            "complete json."
        )
    if not (_is_number(side) and side > 0 and side % 1 == 0):
        raise UserError(f"{where}: its {name} is {side!r}, a positive whole number is needed.")
    return int(side)


def _rle(where: str, annotation: dict[str, Any], size_hw: tuple[int, int]) -> Rle:
    if annotation.get("segmentation") is None:
        raise UserError(f"{where}: it has no segmentation, and without a mask it cannot be found.")
    return Rle(size=list(size_hw), counts=compressed_counts(where, annotation["segmentation"], size_hw).decode())


def _area(where: str, annotation: dict[str, Any], of_mask: float) -> float:
    """The area that is stated, or the mask's own where none is or it could be no area (it would have no size class)."""
    area = annotation.get("area")
    if area is None:
        return of_mask
    if not _is_number(area):
        raise UserError(f"{where}: its area is {area!r}, a number of pixels is needed.")
    return float(area) if 0 <= area <= SIZES["all"][1] else of_mask


def _category(where: str, annotation: dict[str, Any], names: Mapping[Any, str]) -> str:
    try:
        return names[annotation.get("category_id")]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{where}: its category_id is {annotation.get('category_id')!r}, which 'categories' does not list."
        ) from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _boxes(rles: Sequence[Rle]) -> np.ndarray:
    return np.asarray(coco_mask.toBbox(list(rles))) if rles else np.zeros((0, 4))


def _require_whole(truth: Truth) -> None:
    for image in truth.images:
        counts = [rle["counts"].encode() for rle in image.rles]
        if not are_whole(counts, np.full(len(counts), np.prod(image.size_hw))).all():
            raise UserError(f"{truth.source}: a mask of image {image.image_id} is damaged, its runs do not fill it.")


def _coco_photographs(annotations: Path) -> Path | None:
    """COCO's layout: annotations/instances_val2017.json beside val2017/."""
    folder = annotations.parent.parent / annotations.stem.rpartition("_")[2]
    return folder if folder.is_dir() else None

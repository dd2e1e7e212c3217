"""The objects that proposals should find, read from COCO json, PASCAL VOC or SBD; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.evaluation.entries import compressed_counts
from ifcn_tf.files import UserError, read_json
from ifcn_tf.ids import ImageId, canonical_id, examples, repeated, sort_key
from ifcn_tf.masks import Rle, are_whole


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
    """

    source: str
    images: list[TruthImage]
    sizes: Mapping[ImageId, tuple[int, int]]
    photographs: Path | None = None

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
    """Reads COCO annotations; annotation ids only need to be distinct, category ids to be known.

    Raises:
        UserError: no such file, a missing field, an id that appears twice, an annotation of an unknown image, a mask of
            another size than its image.
    """
    content = read_json(path)
    if not (isinstance(content, dict) and {"images", "annotations"} <= set(content)):
        raise UserError(f"{path} is no COCO annotation file: it needs 'images' and 'annotations'.")
    try:
        names = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
        annotations = _annotations_of_images(str(path), content)
        images = [_coco_image(str(path), image, annotations[image["id"]], names) for image in content["images"]]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no complete COCO annotation file: {error} is missing or of a wrong type."
        ) from error
    images.sort(key=lambda image: sort_key(image.image_id))
    truth = Truth(str(path), images, {image.image_id: image.size_hw for image in images}, _coco_photographs(Path(path)))
    _require_whole(truth)
    return truth


def _annotations_of_images(source: str, content: dict[str, Any]) -> dict[Any, list[dict[str, Any]]]:
    _require_distinct(source, "image", [canonical_id(image["id"]) for image in content["images"]])
    _require_distinct(source, "annotation", [annotation["id"] for annotation in content["annotations"]])
    found: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in content["images"]}
    unknown = [a["id"] for a in content["annotations"] if a["image_id"] not in found]
    if unknown:
        raise UserError(
            f"{source}: {len(unknown)} annotations ({examples(unknown)}) belong to images it does not list."
        )
    for annotation in sorted(content["annotations"], key=lambda annotation: sort_key(annotation["id"])):
        found[annotation["image_id"]].append(annotation)
    return found


def _require_distinct(source: str, what: str, ids: Sequence[Any]) -> None:
    if twice := repeated(ids):
        raise UserError(f"{source}: {len(twice)} {what} id(s) appear more than once ({examples(twice)}).")


def _coco_image(
    source: str, image: dict[str, Any], annotations: Sequence[dict[str, Any]], names: Mapping[Any, str]
) -> TruthImage:
    image_id, size_hw = canonical_id(image["id"]), (int(image["height"]), int(image["width"]))
    if image_id is None:
        raise UserError(f"{source}: image id {image['id']!r} is neither a whole number nor a text.")
    rles = []
    for annotation in annotations:
        where = f"{source}, annotation {annotation['id']}"
        rles.append(
            Rle(size=list(size_hw), counts=compressed_counts(where, annotation["segmentation"], size_hw).decode())
        )
    boxes = _boxes(rles)
    for i, annotation in enumerate(annotations):
        boxes[i] = annotation.get("bbox", boxes[i])
    mask_areas = coco_mask.area(rles) if rles else []
    areas = [annotation.get("area", area) for annotation, area in zip(annotations, mask_areas, strict=True)]
    crowd = np.array([bool(annotation.get("iscrowd", 0)) for annotation in annotations], bool)
    categories = [names[annotation["category_id"]] for annotation in annotations] if names else []
    file_name = str(image.get("file_name", f"{image_id}.jpg"))
    return TruthImage(image_id, file_name, size_hw, rles, boxes, np.array(areas, float), crowd, categories)


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

"""JSON files of DeepMask and Segment Anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ifcn_tf.common.files import UserError
from ifcn_tf.common.ids import canonical_id, id_of_file
from ifcn_tf.masks.coco_forms import UnusableError, are_finite, read_masks
from ifcn_tf.masks.rle import Rle, tight_box_xywh
from ifcn_tf.proposals import Proposals
from ifcn_tf.results.stream import read_entries

Result = dict[str, Any]


def read_deepmask(path: Path) -> Iterator[Result]:
    """DeepMask and SharpMask (Pinheiro et al., NIPS 2015 and ECCV 2016), the files of evalPerImage.lua.

    A list of any number of images' masks, in any order: `image_id`, `score`, and `segmentation` as run lengths.
    """
    for number, entry in enumerate(read_entries(path)):
        where = f"{path}, result {number}"
        image_id = entry.get("image_id")
        if isinstance(image_id, float) and image_id.is_integer():  # Lua knows no other numbers
            image_id = int(image_id)
        if canonical_id(image_id) is None:
            raise UserError(f"{where} is none of DeepMask: it has no image_id.")
        (score,) = _scores(where, "DeepMask", entry, "score")
        mask = _mask(where, entry)
        box = list(map(float, tight_box_xywh(mask)))
        yield {"image_id": image_id, "category_id": 1, "segmentation": mask, "bbox": box, "score": score}


def read_sam(path: Path) -> Iterator[Result]:
    """Segment Anything (Kirillov et al., ICCV 2023), the files of amg.py --convert-to-rle: one for each image.

    A list of masks: `segmentation` as run lengths, `predicted_iou` and `stability_score`, whose mean ranks them as in
    the paper's comparison of proposals (appendix D.3).
    """
    masks, scores = list[Rle](), list[float]()
    for number, entry in enumerate(read_entries(path)):
        where = f"{path}, result {number}"
        scores.append(float(np.mean(_scores(where, "Segment Anything", entry, "predicted_iou", "stability_score"))))
        masks.append(_mask(where, entry))
        if masks[-1]["size"] != masks[0]["size"]:
            raise UserError(f"{where} has a mask of another size than the first: one file holds one image.")
    if masks:
        height, width = masks[0]["size"]
        proposals = Proposals((height, width), np.array(scores), masks)
        yield from proposals[np.argsort(-proposals.scores, kind="stable")].to_coco(id_of_file(path))


def _scores(where: str, program: str, entry: dict[str, Any], *names: str) -> list[float]:
    for name in names:
        if not are_finite([entry.get(name)]):
            raise UserError(f"{where} is none of {program}: its {name} is {entry.get(name)!r}, a number is needed.")
    return [float(entry[name]) for name in names]


def _mask(where: str, entry: dict[str, Any]) -> Rle:
    """The mask of an entry, of the size that it states."""
    stated = entry.get("segmentation")
    segmentation = stated if isinstance(stated, dict) else {}
    size = segmentation.get("size")
    if not (isinstance(size, list) and len(size) == 2 and are_finite(size)):
        raise UserError(f"{where} has no run lengths: its segmentation must be {{size, counts}}.")
    height, width = map(int, size)
    (mask,) = read_masks([{**segmentation, "size": [height, width]}], (height, width))
    if isinstance(mask, UnusableError):
        raise UserError(f"{where}: {mask}.") from mask
    return mask

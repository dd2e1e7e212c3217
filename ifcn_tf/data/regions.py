"""Regions of a photograph as records keep them: its objects and some proposals, and how far they agree."""

from __future__ import annotations

import dataclasses

import numpy as np
from pycocotools import mask as coco_mask

from ifcn_tf.annotations.example import Example
from ifcn_tf.config.network import ROI_CELLS
from ifcn_tf.masks.paste import crop
from ifcn_tf.masks.rle import Rle, decode, tight_box_xywh


@dataclasses.dataclass(frozen=True)
class Regions:
    """R regions of one image: first its objects that are no crowds, in their order, then proposals.

    Attributes:
        boxes_yxyx: float32 [R, 4], px of the image.
        masks: uint8 [R, 14, 14], the share of each cell of the box that the mask covers, of 255.
        objects: int64 [R], number in the image of the object that the box has the highest IoU with; -1 of none.
        box_ious, mask_ious: float32 [R], with that object.
    """

    boxes_yxyx: np.ndarray
    masks: np.ndarray
    objects: np.ndarray
    box_ious: np.ndarray
    mask_ious: np.ndarray


def regions_of(example: Example, boxes_yxyx: np.ndarray, masks: np.ndarray, rles: list[Rle]) -> Regions:
    """The regions of a photograph.

    Args:
        example: the photograph, with its objects.
        boxes_yxyx: float [n, 4], of proposals [px].
        masks: float [n, 14, 14], of proposals in their boxes, in 0..1.
        rles: n masks of the image's size, none empty.
    """
    numbers = np.flatnonzero(~example.crowd)
    objects = [example.rles[number] for number in numbers]
    own_boxes = _tight_boxes(objects)
    own_masks = [
        crop(decode([rle], example.size_hw)[0], box, ROI_CELLS) for rle, box in zip(objects, own_boxes, strict=True)
    ]
    boxes = np.concatenate([own_boxes, boxes_yxyx])
    values = np.concatenate([np.reshape(own_masks, (-1, ROI_CELLS, ROI_CELLS)), masks])
    # A last column for none: of equal IoUs the first counts.
    box_ious = np.pad(box_iou(boxes, own_boxes), ((0, 0), (0, 1)))
    mask_ious = np.pad(mask_iou([*objects, *rles], objects), ((0, 0), (0, 1)))
    nearest = box_ious.argmax(1)
    rows = np.arange(len(boxes))
    return Regions(
        boxes.astype(np.float32),
        (255 * values).round().astype(np.uint8),
        np.append(numbers, -1)[nearest],
        box_ious[rows, nearest].astype(np.float32),
        mask_ious[rows, nearest].astype(np.float32),
    )


def _tight_boxes(rles: list[Rle]) -> np.ndarray:
    left, top, width, height = np.array([tight_box_xywh(rle) for rle in rles], float).reshape(-1, 4).T
    return np.stack([top, left, top + height, left + width], 1)


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [n, 4] with others [m, 4], top, left, bottom, right: float64 [n, m]."""
    common = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2])
    intersection = common.clip(0).prod(2)
    area, other_area = ((some[:, 2:] - some[:, :2]).prod(1) for some in (boxes, others))
    return intersection / (area[:, None] + other_area - intersection)


def mask_iou(rles: list[Rle], others: list[Rle]) -> np.ndarray:
    """Intersection over union of n masks with m others, float64 [n, m]."""
    return np.reshape(coco_mask.iou(rles, others, [0] * len(others)), (len(rles), len(others)))

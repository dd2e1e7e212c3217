"""Examples of methods that name regions: a view of a photograph, and some of the regions in its record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from ifcn_tf.common.classes import BACKGROUND
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import ROI_CELLS, MaskClassifierConfig
from ifcn_tf.config.settings import require
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.augmentation import draw_scale, jitter_colours
from ifcn_tf.data.records import Records
from ifcn_tf.data.views import boxes_in_view, image_of, objects_of, view_of

Tensors = dict[str, tf.Tensor]
#: A region holds the object that its box has the highest IoU with, from this IoU on; it is of its class if its mask has
#: that IoU with it, too (Dai et al., MNC, section 3.3).
FOREGROUND_IOU = 0.5


class Rois(NamedTuple):
    """The R regions of a record, as tensors of `regions.Regions`."""

    boxes_yxyx: tf.Tensor
    masks: tf.Tensor
    objects: tf.Tensor
    box_ious: tf.Tensor
    mask_ious: tf.Tensor


def rois_of(record: Tensors) -> Rois:
    """The regions of a record (`Records.parsed`), with masks float32 in 0..1; none of a record without."""
    boxes, masks, *others = (record[f"image/region/{name}"] for name in Rois._fields)
    masks = tf.reshape(tf.io.decode_raw(masks, tf.uint8), [-1, ROI_CELLS, ROI_CELLS])
    return Rois(tf.reshape(boxes, [-1, 4]), tf.cast(masks, tf.float32) / 255, *others)


def roi_example(
    record: Tensors, config: DataConfig, network: MaskClassifierConfig, seed: tf.Tensor
) -> tuple[Tensors, Tensors]:
    """Makes the training example of a record: the whole image, and W = `num_rois` of its regions.

    Args:
        record: the record, with regions.
        config: scales and number of the regions; what it says of windows has no effect.
        network: whose classes.
        seed: int64 [2], decides scale, flip, regions and colours.

    Returns:
        The pair (inputs, targets):
            inputs: "image" float32 [H, W, 3], RGB in 0..255, "boxes_yxyx" float32 [W, 4] px of it, "roi_masks" float32
                [W, 14, 14].
            targets: "classes" int32 [W], 0 background; "box_classes" int32 [W] and "wanted_boxes" float32 [W, 4], class
                and box of the object that each holds by its box alone, 0 and meaningless of none; "weights" float32
                [W], 0 for padding; and "image_id", a string scalar.
    """
    scale_seed, flip_seed, roi_seed, colour_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
    objects, rois = objects_of(record), rois_of(record)
    flipped = tf.random.stateless_uniform([], flip_seed) < config.flip_probability
    side = draw_scale(objects, dataclasses.replace(config, fitting_scales=0.0), scale_seed)
    view = view_of(objects.size_hw, side, flipped, config)
    chosen = sample(rois.box_ious, config, roi_seed)
    missing = config.num_rois - tf.size(chosen)
    drawn = Rois(*(tf.gather(values, chosen) for values in rois))
    boxes, wanted = (
        tf.cast(boxes_in_view(objects._replace(boxes_yxyx=corners), view), tf.float32)
        for corners in (drawn.boxes_yxyx, _owned(objects.boxes_yxyx, drawn.objects))
    )
    classes = _owned(class_numbers(record["image/object/class/label"], network), drawn.objects)
    box_classes = tf.where(drawn.box_ious >= FOREGROUND_IOU, classes, 0)
    targets = {
        "classes": tf.where(drawn.mask_ious >= FOREGROUND_IOU, box_classes, 0),
        "box_classes": box_classes,
        "wanted_boxes": wanted,
        "weights": tf.ones_like(drawn.box_ious),
    }
    masks = tf.where(flipped, tf.reverse(drawn.masks, [2]), drawn.masks)
    image = jitter_colours(image_of(record, view), config.colour_jitter, colour_seed)
    inputs = {"image": image, "boxes_yxyx": _padded(boxes, missing), "roi_masks": _padded(masks, missing)}
    padded = {name: _padded(values, missing) for name, values in targets.items()}
    return inputs, padded | {"image_id": record["image/source_id"]}


def class_numbers(category_ids: tf.Tensor, network: MaskClassifierConfig) -> tf.Tensor:
    """The numbers of a network's classes, int32 [n], by those of categories in data, int64 [n]; 0 of unknown ones."""
    known = tf.constant(list(network.categories), tf.int64)
    return tf.reduce_sum(tf.where(category_ids[:, None] == known, tf.range(1, len(known) + 1), 0), 1)


def sample(box_ious: tf.Tensor, config: DataConfig, seed: tf.Tensor) -> tf.Tensor:
    """Draws regions: those that hold an object up to their share, then others.

    Args:
        box_ious: float32 [R], highest IoU of their boxes with an object's.
        config: number and share.
        seed: int64 [2].

    Returns:
        int64 [W] at most, numbers of regions.
    """
    shuffled = tf.random.experimental.stateless_shuffle(tf.range(tf.size(box_ious, tf.int64)), seed)
    holds = tf.gather(box_ious, shuffled) >= FOREGROUND_IOU
    foreground = tf.boolean_mask(shuffled, holds)[: round(config.foreground_rois * config.num_rois)]
    background = tf.boolean_mask(shuffled, ~holds)[: config.num_rois - tf.size(foreground)]
    return tf.concat([foreground, background], 0)


def _owned(values: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Values of objects [G, ...] by their numbers, int64 [n]; zeros for -1."""
    return tf.gather(tf.pad(values, [[1, 0]] + [[0, 0]] * (values.shape.rank - 1)), numbers + 1)


def _padded(values: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """Rows of zeros after others."""
    return tf.pad(values, [[0, missing]] + [[0, 0]] * (values.shape.rank - 1))


def require_regions(data: Sequence[Path], network: MaskClassifierConfig, config: DataConfig) -> None:
    """Raises UserError unless all photographs of prepared data have regions, and the classes of a network.

    Neither can objects be pasted: regions would not show them.
    """
    require(config.copy_paste == 0, f"data.copy_paste must be 0 with {network.method}: no region shows what is pasted.")
    for folder in data:
        records = Records.open([folder])
        if records.categories != network.categories:
            names, numbers = [BACKGROUND, *records.categories.values()], list(records.categories)
            raise UserError(
                f"{folder} has other classes ({', '.join(names[1:])}) than the network: give "
                f"--set model.classes='{json.dumps(names)}' --set model.category_ids='{json.dumps(numbers)}'."
            )
        if lacking := records.count(lambda record: tf.size(record["image/region/objects"]) == 0):
            raise UserError(
                f"{lacking} of the {len(records)} photographs of {folder} have no regions: add proposals with "
                "`ifcn-tf prepare-regions`, and train on its output."
            )

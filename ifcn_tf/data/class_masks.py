"""Examples of methods that name the class of each pixel: a view of a photograph, and of its class mask."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from ifcn_tf.common.classes import BACKGROUND
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import SegmentationConfig
from ifcn_tf.config.settings import require
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.augmentation import cut_anywhere, draw_scale, jitter_colours
from ifcn_tf.data.records import Records
from ifcn_tf.data.views import View, image_of, objects_of, original_pixels, view_of

Tensors = dict[str, tf.Tensor]
_CLASSES = "image/segmentation/class/encoded"


def class_mask_example(record: Tensors, config: DataConfig, seed: tf.Tensor) -> tuple[Tensors, Tensors]:
    """Makes the training example of a record: the whole image, or a cut anywhere in it.

    Args:
        record: the record (`Records.parsed`), with a class mask.
        config: scales, side of the cut and so on; what it says of windows and objects has no effect.
        seed: int64 [2], decides scale, flip, cut and colours.

    Returns:
        The pair (inputs, targets):
            inputs: "image" float32 [H, W, 3], RGB in 0..255.
            targets: "classes" int32 [H, W], VOID where a pixel does not count; and "image_id", a string scalar.
    """
    scale_seed, flip_seed, cut_seed, colour_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
    objects = objects_of(record)
    flipped = tf.random.stateless_uniform([], flip_seed) < config.flip_probability
    side = draw_scale(objects, dataclasses.replace(config, fitting_scales=0.0), scale_seed)
    view = view_of(objects.size_hw, side, flipped, config)
    if config.cut_side:
        view = cut_anywhere(view, config.cut_side, 1, cut_seed)
    image = jitter_colours(image_of(record, view), config.colour_jitter, colour_seed)
    return {"image": image}, {"classes": classes_in_view(record, view), "image_id": record["image/source_id"]}


def classes_in_view(record: Tensors, view: View) -> tf.Tensor:
    """The class mask of a record in a view, int32 [H, W]: the class of the pixel that holds each one's centre."""
    classes = tf.io.decode_png(record[_CLASSES])[..., 0]
    pixels = [tf.cast(tf.range(view.shown_hw[axis]), tf.float64) + 0.5 for axis in (0, 1)]
    y, x = (original_pixels(pixels[axis], axis, objects_of(record), view) for axis in (0, 1))
    return tf.cast(tf.gather(tf.gather(classes, y), x, axis=1), tf.int32)


def require_classes(data: Sequence[Path], network: SegmentationConfig, config: DataConfig) -> None:
    """Raises UserError unless all photographs of prepared data have class masks of the classes of a network.

    Neither can objects be pasted: class masks would not show them.
    """
    require(
        config.copy_paste == 0, f"data.copy_paste must be 0 with {network.method}: class masks show no pasted object."
    )
    for folder in data:
        records = Records.open([folder])
        names = [name for _, name in sorted(records.categories.items())]
        if names != list(network.classes[1:]):
            raise UserError(
                f"{folder} has the classes {', '.join(names)}, and the network {', '.join(network.classes[1:])}: give "
                f"--set model.classes='{json.dumps([BACKGROUND, *names])}'."
            )
        if lacking := records.count(lambda record: record[_CLASSES] == ""):
            raise UserError(
                f"{lacking} of the {len(records)} photographs of {folder} have no class mask: prepare it anew, from a "
                "source with class masks, such as voc."
            )

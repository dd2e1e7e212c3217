"""Whole photographs out of prepared data, with their objects: what validation and pictures look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.example import Example, Instance
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import ROI_CELLS, WindowConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.crops import canonical_sides
from ifcn_tf.data.pipeline import EXAMPLES
from ifcn_tf.data.records import Records, naming_damage, parse
from ifcn_tf.data.regions import Regions
from ifcn_tf.data.views import objects_of
from ifcn_tf.images.tensors import decode
from ifcn_tf.masks.rle import from_run_lengths

Tensors = dict[str, tf.Tensor]
#: Examples among which `find_subject` chooses.
_TRIES = 50


def example_of(record: Tensors) -> Example:
    """What `serialize` wrote, out of `parse`."""
    size_hw = (int(record["image/height"]), int(record["image/width"]))
    ends = np.cumsum(record["image/object/mask/num_counts"])
    names = ("mask/num_counts", "class/label", "is_crowd", "area")
    columns = (record[f"image/object/{name}"].numpy().tolist() for name in names)
    counts = record["image/object/mask/counts"].numpy()
    objects = [
        Instance.of_rle(from_run_lengths(counts[end - length : end], size_hw), label, is_crowd == 1, area)
        for end, length, label, is_crowd, area in zip(ends, *columns, strict=True)
    ]
    source_id, file_name = (record[f"image/{name}"].numpy().decode() for name in ("source_id", "filename"))
    encoded, classes = (record[f"image/{name}"].numpy() for name in ("encoded", "segmentation/class/encoded"))
    return Example(source_id, file_name, size_hw, tuple(objects), encoded, classes)


def pixels_of(example: Example) -> np.ndarray:
    """The photograph of an example, uint8 [H, W, 3], RGB."""
    return decode(example.encoded).numpy()


def classes_of(example: Example) -> np.ndarray:
    """The class mask of an example that has one, uint8 [H, W] (`Example.classes`)."""
    return tf.io.decode_png(example.classes).numpy()[..., 0]


def photographs(data: Sequence[Path], count: int) -> Iterator[Example]:
    """The first `count` photographs of prepared data, fewer where there are fewer.

    Raises:
        UserError: a folder cannot be used, or a record is damaged.
    """
    records = Records.open(data)
    for record in _read(records, range(min(count, len(records)))):
        yield example_of(record)


def photographs_with_regions(data: Sequence[Path], count: int) -> Iterator[tuple[Example, Regions]]:
    """As `photographs`, with the regions of each."""
    records = Records.open(data)
    for record in _read(records, range(min(count, len(records)))):
        masks = np.frombuffer(record["image/region/masks"].numpy(), np.uint8).reshape(-1, ROI_CELLS, ROI_CELLS)
        names = ("boxes_yxyx", "objects", "box_ious", "mask_ious")
        boxes, *columns = (record[f"image/region/{name}"].numpy() for name in names)
        yield example_of(record), Regions(boxes.reshape(-1, 4), masks, *columns)


def require_objects(data: Sequence[Path], count: int) -> None:
    """Raises UserError unless the first `count` photographs of prepared data show an object, crowds not counted."""
    records = Records.open(data)
    for record in _read(records, range(min(count, len(records)))):
        if tf.reduce_any(record["image/object/is_crowd"] == 0):
            return
    raise UserError(
        f"the first {count} photographs of {', '.join(map(str, data))} show no object, so that there is no recall to "
        "measure: take other --validation_data or none, or more train.validation_images."
    )


def require_positives(data: Sequence[Path], config: DataConfig) -> None:
    """Raises UserError unless some object of prepared data can be seen at the size that windows are made for."""
    records = Records.open(data)
    for record in _read(records, range(len(records))):
        if tf.reduce_any(canonical_sides(objects_of(record), config) > 0):
            return
    raise UserError(
        f"{', '.join(map(str, data))} shows no object to train on: each is a crowd, or so small that it is not "
        f"{config.object_side:g} px long in an image of {config.longer_side_limit} px."
    )


def find_subject(
    data: Sequence[Path], config: DataConfig, network: WindowConfig
) -> tuple[Example, tuple[Tensors, Tensors]]:
    """A photograph to draw again and again: of the first ones, the one with the most positive windows.

    Returns:
        The photograph, and the pair (inputs, targets) of its training example.

    Raises:
        UserError: a folder cannot be used, or a record is damaged.
    """
    records, make = Records.open(data), EXAMPLES[network.example].make

    def positives(number: tf.Tensor) -> tf.Tensor:
        """In a graph, which leaves out what is not asked for: no image is decoded."""
        _, targets = make(parse(records.read(number)), config, network, tf.stack([0, number]))
        return tf.reduce_sum(targets["labels"])

    with naming_damage():
        found = list(tf.data.Dataset.range(min(_TRIES, len(records))).map(positives).as_numpy_iterator())
    best = int(np.argmax(found))
    record = next(_read(records, range(best, best + 1)))
    return example_of(record), make(record, config, network, tf.constant([0, best], tf.int64))


def _read(records: Records, numbers: range) -> Iterator[Tensors]:
    """Records by their numbers; raises UserError at a damaged one."""
    with naming_damage():
        yield from tf.data.Dataset.range(numbers.start, numbers.stop).map(lambda number: parse(records.read(number)))

"""Whole photographs out of prepared data, with their objects: what validation and pictures look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.annotations.example import rle_of
from ifcn_tf.common.files import UserError
from ifcn_tf.config.network import NetworkConfig
from ifcn_tf.config.training import DataConfig
from ifcn_tf.data.pipeline import EXAMPLES
from ifcn_tf.data.records import Records, naming_damage, parse
from ifcn_tf.images.tensors import decode
from ifcn_tf.masks.rle import Rle

Tensors = dict[str, tf.Tensor]
#: Examples among which `find_subject` chooses.
_TRIES = 50


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A photograph and its G objects.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        rles: G masks of the image's size.
        areas: float64 [G], as the annotation states them [px^2].
        crowd: bool [G], groups, which are no objects.
    """

    image: np.ndarray
    rles: list[Rle]
    areas: np.ndarray
    crowd: np.ndarray


def photographs(data: Sequence[Path], count: int) -> Iterator[Photograph]:
    """The first `count` photographs of prepared data, fewer where there are fewer.

    Raises:
        UserError: a folder cannot be used, or a record is damaged.
    """
    records = Records.open(data)
    for record in _read(records, range(min(count, len(records)))):
        yield _photograph(record)


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


def find_subject(
    data: Sequence[Path], config: DataConfig, network: NetworkConfig
) -> tuple[Photograph, tuple[Tensors, Tensors]]:
    """A photograph to draw again and again: of the first ones, the one with the most positive windows.

    Returns:
        The photograph, and the pair (inputs, targets) of its training example.

    Raises:
        UserError: a folder cannot be used, or a record is damaged.
    """
    records, make = Records.open(data), EXAMPLES[network.example]

    def positives(number: tf.Tensor) -> tf.Tensor:
        """In a graph, which leaves out what is not asked for: no image is decoded."""
        _, targets = make(parse(records.read(number)), config, network.grid, tf.stack([0, number]))
        return tf.reduce_sum(targets["labels"])

    with naming_damage():
        found = list(tf.data.Dataset.range(min(_TRIES, len(records))).map(positives).as_numpy_iterator())
    best = int(np.argmax(found))
    record = next(_read(records, range(best, best + 1)))
    return _photograph(record), make(record, config, network.grid, tf.constant([0, best], tf.int64))


def _read(records: Records, numbers: range) -> Iterator[Tensors]:
    """Records by their numbers; raises UserError at a damaged one."""
    with naming_damage():
        yield from tf.data.Dataset.range(numbers.start, numbers.stop).map(lambda number: parse(records.read(number)))


def _photograph(record: Tensors) -> Photograph:
    image = decode(record["image/encoded"]).numpy()
    runs = tf.split(record["image/object/mask/counts"], record["image/object/mask/num_counts"])
    return Photograph(
        image,
        [rle_of(tuple(counts.numpy().tolist()), image.shape[:2]) for counts in runs],
        record["image/object/area"].numpy().astype(float),
        record["image/object/is_crowd"].numpy() == 1,
    )

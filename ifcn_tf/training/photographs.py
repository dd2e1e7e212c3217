"""Whole photographs out of prepared data, with their objects: what validation and pictures look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ifcn_tf.data.example import rle_of
from ifcn_tf.data.pipeline import training_example
from ifcn_tf.data.records import Records, parse
from ifcn_tf.masks import Rle
from ifcn_tf.train_config import DataConfig

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
        UserError: a folder cannot be used.
    """
    records = Records.open(data)
    for number in range(min(count, len(records))):
        yield _photograph(_read(records, number))


def find_subject(data: Sequence[Path], config: DataConfig) -> tuple[Photograph, tuple[Tensors, Tensors]]:
    """A photograph to draw again and again: of the first ones, the one with the most positive windows.

    Returns:
        The photograph, and the pair (inputs, targets) of its training example.

    Raises:
        UserError: a folder cannot be used.
    """
    records = Records.open(data)
    tried = [(_read(records, number), [0, number]) for number in range(min(_TRIES, len(records)))]
    examples = [training_example(record, config, tf.constant(seed, tf.int64)) for record, seed in tried]
    positives = [float(tf.reduce_sum(targets["labels"])) for _, targets in examples]
    best = int(np.argmax(positives))
    return _photograph(tried[best][0]), examples[best]


def _read(records: Records, number: int) -> Tensors:
    return parse(records.read(tf.constant(number, tf.int64)))


def _photograph(record: Tensors) -> Photograph:
    image = tf.io.decode_image(record["image/encoded"], channels=3, expand_animations=False).numpy()
    runs = tf.split(record["image/object/mask/counts"], record["image/object/mask/num_counts"])
    return Photograph(
        image,
        [rle_of(tuple(counts.numpy().tolist()), image.shape[:2]) for counts in runs],
        record["image/object/area"].numpy().astype(float),
        record["image/object/is_crowd"].numpy() == 1,
    )
